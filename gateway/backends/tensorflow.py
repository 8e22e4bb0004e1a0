"""TensorFlow SavedModels. The only module that imports tensorflow, and only when it is needed.

A model is loaded into a version 1 session and called through a callable of that session: an order
of magnitude faster than the signature functions of ``tf.saved_model.load``, and the way TensorFlow
Serving does it, so whatever that serves loads here. Declared shapes are not enforced, as there.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gateway.backends.base import RunFunction, Signature
from gateway.backends.direct_session import DirectSession
from gateway.backends.example_features import example_features
from gateway.backends.graph_traits import GraphTraits
from gateway.backends.lasting_objects import lasting_objects
from gateway.backends.model_session import ModelSession
from gateway.backends.native_memory import give_back_freed_memory
from gateway.backends.options import TensorFlowOptions
from gateway.backends.placements import Host, Placement, place_of, placements
from gateway.backends.run_function import Wiring, build_run
from gateway.backends.saved_model import SavedModel
from gateway.backends.session_config import configure
from gateway.backends.signature_defs import metadata, read_signature, tensor_names, unsupported
from gateway.backends.standard_error import quiet_standard_error
from gateway.backends.tf_api import TensorFlowApi
from gateway.backends.tf_errors import load_error
from gateway.cores import usable_cores
from gateway.errors import Code, ServingError, invalid_argument, not_found

_XLA_CPU_FLAG = "--tf_xla_cpu_global_jit"

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
            _let_sessions_compile_for_cpus()
            with lasting_objects(), quiet_standard_error(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import tensorflow  # noqa: F401
        return sys.modules["tensorflow"]


def _let_sessions_compile_for_cpus() -> None:
    """Without this a session's own settings decide about XLA on GPUs only."""
    flags = os.environ.get("TF_XLA_FLAGS", "").split()
    if _XLA_CPU_FLAG not in flags:
        os.environ["TF_XLA_FLAGS"] = " ".join([*flags, _XLA_CPU_FLAG])


def tensorflow_api() -> TensorFlowApi:
    """What other modules need of TensorFlow."""
    tf = import_tensorflow()
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, saved_model_pb2
    from tensorflow.python.client import pywrap_tf_session
    from tensorflow.python.framework import ops
    from tensorflow.python.saved_model import loader_impl

    return TensorFlowApi(
        tf, config_pb2, meta_graph_pb2, saved_model_pb2, loader_impl, ops, pywrap_tf_session
    )


class TensorFlowBackend:
    """Loads SavedModels, on several threads at once if need be. Creating one imports TensorFlow;
    raises ServingError for options that cannot be had."""

    use_callables: ClassVar[bool] = True
    """Whether models are loaded and run the fast, non-public way where it exists."""

    def __init__(self, options: TensorFlowOptions | None = None) -> None:
        self._options = options or TensorFlowOptions()
        self._api = tensorflow_api()
        self._config = self._api.config_pb2.ConfigProto()
        configure(self._config, self._options)
        self._host = Host(usable_cores(), self._options.devices)

    @property
    def description(self) -> str:
        return f"TensorFlow {self._api.tf.__version__}"

    def devices(self) -> Sequence[str]:
        gpus = self._api.tf.config.list_physical_devices("GPU")
        return (
            *(f"gpu:{i}" for i in range(len(gpus))),
            *(f"cpu:{i}" for i in range(self._host.cores)),
        )

    def load(self, path: Path, devices: Sequence[str], *, xla: bool = False) -> TensorFlowModel:
        """Load for ``devices``; all of ``cpu:*`` share one copy of the variables, which is run
        from several threads at once. With ``xla`` TensorFlow compiles a shape when it comes for the
        second time, the first shape of all at once.

        Raises ServingError: FAILED_PRECONDITION for a folder that lacks files, DATA_LOSS for
        damaged ones.
        """
        places = placements(self._config, devices, self._host, self._compiled(always=xla))
        try:
            return self._load(path, places)
        except Exception as error:  # noqa: BLE001 - whatever a damaged model makes TensorFlow raise
            told = load_error(error)
        # A new error: the traceback of the first would keep the half-loaded model alive.
        raise ServingError(told.code, told.message)

    def _compiled(self, *, always: bool) -> list[str]:
        """The kinds of device for which XLA compiles a model."""
        compiles = {"cpu": self._options.xla_cpu, "gpu": self._options.xla_gpu}
        return [kind for kind, asked in compiles.items() if asked or always]

    def _load(self, path: Path, places: Mapping[str, Placement]) -> TensorFlowModel:
        model = SavedModel(self._api, path, self._options.tags)
        direct = self.use_callables and DirectSession.is_supported(self._api)
        return TensorFlowModel(self._api, model, places, direct=direct)


class TensorFlowModel:
    """A loaded SavedModel. ``close`` gives its memory back at once."""

    def __init__(
        self,
        api: TensorFlowApi,
        model: SavedModel,
        places: Mapping[str, Placement],
        *,
        direct: bool,
    ) -> None:
        definitions = model.meta_graph.signature_def
        self.metadata: Mapping[str, Any] = metadata(definitions)
        self.signatures = _signatures(api.tf, model.meta_graph)
        self._refused = {n: r for n, d in definitions.items() if (r := unsupported(d))}
        self._copies: dict[str, ModelSession] = {}
        self._runs: dict[str, dict[str, RunFunction]] = {}
        wirings = {name: _wiring(definitions[name]) for name in self.signatures}
        try:
            for place, placement in places.items():
                session = self._copies[place] = model.open_session(placement, direct=direct)
                self._runs[place] = _runs(session, self.signatures, wirings)
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
        give_back_freed_memory()


def _signatures(tf: Any, meta_graph: Any) -> dict[str, Signature]:
    traits = GraphTraits(meta_graph.graph_def)
    return {
        name: _signature(tf, traits, name, definition)
        for name, definition in sorted(meta_graph.signature_def.items())
        if not unsupported(definition)
    }


def _signature(tf: Any, traits: GraphTraits, name: str, definition: Any) -> Signature:
    fetches = tensor_names(definition.outputs).values()
    return read_signature(
        name,
        definition,
        stateful=traits.is_stateful(fetches),
        decode=tf.make_ndarray,
        features=example_features(traits, fetches),
    )


def _wiring(definition: Any) -> Wiring:
    return Wiring.of(tensor_names(definition.inputs), tensor_names(definition.outputs))


def _runs(
    session: ModelSession, signatures: Mapping[str, Signature], wirings: Mapping[str, Wiring]
) -> dict[str, RunFunction]:
    changes = any(signature.stateful for signature in signatures.values())
    return {
        name: build_run(signature, wirings[name], session.call(wirings[name]), copy_outputs=changes)
        for name, signature in signatures.items()
    }
