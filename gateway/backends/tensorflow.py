"""TensorFlow SavedModels. The only module that imports tensorflow, and only when it is needed.

A model is loaded by the version 1 loader into a session and called through a callable of that
session: an order of magnitude faster than the signature functions of ``tf.saved_model.load``, and
the way TensorFlow Serving does it, so whatever that serves loads here. Declared shapes are not
enforced, as there.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from gateway.backends.base import RunFunction, Signature
from gateway.backends.graph_rewrites import avoid_onednn_matmul
from gateway.backends.graph_traits import GraphTraits
from gateway.backends.placements import Placement, cores, place_of, placements
from gateway.backends.run_function import GraphCall, Wiring, build_run
from gateway.backends.signature_defs import metadata, read_signature, tensor_names, unsupported
from gateway.backends.standard_error import quiet_standard_error
from gateway.backends.tf_errors import load_error
from gateway.errors import Code, ServingError, invalid_argument, not_found

logger = logging.getLogger(__name__)

SERVING_TAGS = ["serve"]
"""Tags of the graph to load, as TF Serving's default."""

_import_lock = threading.Lock()


def import_tensorflow() -> Any:
    """The ``tensorflow`` module. The first call takes seconds and prints nothing.

    Unless the environment says otherwise, native logs are off and GPU memory is taken as needed.
    Raises ImportError, after showing what the libraries had to say.
    """
    with _import_lock:
        if "tensorflow" not in sys.modules:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
            with quiet_standard_error(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import tensorflow  # noqa: F401
        return sys.modules["tensorflow"]


class TensorFlowBackend:
    """Loads SavedModels. Creating one imports TensorFlow."""

    use_callables: ClassVar[bool] = True
    """Whether runs take the fast, non-public way into a session where it exists. A run that goes
    the public way costs about 0.1 ms more and enforces declared shapes."""

    def __init__(self) -> None:
        self._tf = import_tensorflow()

    @property
    def description(self) -> str:
        return f"TensorFlow {self._tf.__version__}"

    def devices(self) -> Sequence[str]:
        gpus = self._tf.config.list_physical_devices("GPU")
        return (
            *(f"gpu:{i}" for i in range(len(gpus))),
            *(f"cpu:{i}" for i in range(cores())),
        )

    def load(self, path: Path, devices: Sequence[str]) -> TensorFlowModel:
        """Load for ``devices``; all of ``cpu:*`` share one copy of the variables, which is run
        from several threads at once. The first load of a process settles how many threads an
        operation may use: the cores, divided among the CPU devices."""
        places = placements(self._tf, devices)
        try:
            return TensorFlowModel(self._tf, path, places, use_callables=self.use_callables)
        except Exception as error:
            raise load_error(error) from error


class TensorFlowModel:
    """A loaded SavedModel. ``close`` gives variables back to TensorFlow's own pools once the run
    functions are gone too; the Python graph is left to the garbage collector."""

    def __init__(
        self, tf: Any, path: Path, places: Mapping[str, Placement], *, use_callables: bool
    ) -> None:
        from tensorflow.python.saved_model.loader_impl import SavedModelLoader

        loader = SavedModelLoader(str(path))
        graph = loader.get_meta_graph_def_from_tags(SERVING_TAGS)
        if rewritten := avoid_onednn_matmul(graph):
            logger.debug("BatchMatMul nodes kept from oneDNN: %d", rewritten)
        self.metadata: Mapping[str, Any] = metadata(graph.signature_def)
        self.signatures = _signatures(tf, graph)
        self._refused = {n: r for n, d in graph.signature_def.items() if (r := unsupported(d))}
        self._copies: dict[str, _Copy] = {}
        self._runs: dict[str, dict[str, RunFunction]] = {}
        wirings = {name: _wiring(graph.signature_def[name]) for name in self.signatures}
        try:
            for place, placement in places.items():
                copy = self._copies[place] = _Copy(tf, loader, placement)
                self._runs[place] = _runs(
                    copy, self.signatures, wirings, use_callables=use_callables
                )
        except BaseException:
            self.close()
            raise

    def runner(self, signature: str, device: str) -> RunFunction:
        """Raises ServingError for a signature that does not exist or cannot be run, and for a
        device that the model was not loaded for."""
        if reason := self._refused.get(signature):
            raise ServingError(
                Code.FAILED_PRECONDITION, f'signature "{signature}" cannot be run: {reason}'
            )
        if signature not in self.signatures:
            raise not_found(f'there is no signature "{signature}"')
        runs = self._runs.get(place_of(device))
        if runs is None:
            raise invalid_argument(f"the model was not loaded for device {device}")
        return runs[signature]

    def close(self) -> None:
        self._runs.clear()
        for copy in self._copies.values():
            copy.close()
        self._copies.clear()


class _Copy:
    """One copy of a model: a graph and a session with its variables and tables."""

    def __init__(self, tf: Any, loader: Any, placement: Placement) -> None:
        self._op_error = tf.errors.OpError
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self._graph, config=placement.config)
        with self._graph.as_default(), self._graph.device(placement.device):
            saver, _ = loader.load_graph(self._graph, SERVING_TAGS, clear_devices=True)
        loader.restore_variables(self._session, saver)
        loader.run_init_ops(self._session, SERVING_TAGS)
        self._graph.finalize()

    def call(self, wiring: Wiring, *, use_callables: bool) -> GraphCall:
        """What feeds and fetches the tensors of ``wiring``, in the calling thread."""
        if use_callables:
            try:
                return self._direct_call(wiring)
            except (AttributeError, self._op_error) as error:
                logger.debug("the session makes no callable", exc_info=error)
        return self._public_call(wiring)

    def close(self) -> None:
        self._session.close()

    def _direct_call(self, wiring: Wiring) -> GraphCall:
        from tensorflow.core.protobuf.config_pb2 import CallableOptions, RunOptions

        options = CallableOptions(
            feed=wiring.feeds.values(),
            fetch=wiring.fetched_tensors,
            # In the calling thread: no hand-over, and its CPU time is the run's.
            run_options=RunOptions(inter_op_thread_pool=-1),
        )
        call: GraphCall = self._session._make_callable_from_options(options)
        return call

    def _public_call(self, wiring: Wiring) -> GraphCall:
        fed = {alias: self._graph.get_tensor_by_name(name) for alias, name in wiring.feeds.items()}
        run = self._session.make_callable(list(wiring.fetched_tensors), list(fed.values()))

        def call(*arrays: Any) -> Sequence[Any]:
            for (alias, tensor), array in zip(fed.items(), arrays, strict=True):
                _check_feed(alias, tensor, array)
            values: Sequence[Any] = run(*arrays)
            return values

        return call


def _check_feed(alias: str, tensor: Any, array: NDArray[Any]) -> None:
    """Session.run would convert dtypes, and refuses shapes with the names of the graph."""
    if array.dtype != tensor.dtype.base_dtype.as_numpy_dtype:
        raise invalid_argument(f'input "{alias}" must be {tensor.dtype.name}')
    if not tensor.shape.is_compatible_with(array.shape):
        declared = ["?" if size is None else size for size in tensor.shape]
        raise invalid_argument(
            f'input "{alias}" must have the shape [{", ".join(map(str, declared))}], '
            f"got {list(array.shape)}"
        )


def _signatures(tf: Any, graph: Any) -> dict[str, Signature]:
    traits = GraphTraits(graph.graph_def)
    return {
        name: read_signature(
            name,
            definition,
            stateful=traits.is_stateful(tensor_names(definition.outputs).values()),
            decode=tf.make_ndarray,
        )
        for name, definition in sorted(graph.signature_def.items())
        if not unsupported(definition)
    }


def _wiring(definition: Any) -> Wiring:
    return Wiring.of(tensor_names(definition.inputs), tensor_names(definition.outputs))


def _runs(
    copy: _Copy,
    signatures: Mapping[str, Signature],
    wirings: Mapping[str, Wiring],
    *,
    use_callables: bool,
) -> dict[str, RunFunction]:
    changes = any(signature.stateful for signature in signatures.values())
    return {
        name: build_run(
            signature,
            wirings[name],
            copy.call(wirings[name], use_callables=use_callables),
            copy_outputs=changes,
        )
        for name, signature in signatures.items()
    }
