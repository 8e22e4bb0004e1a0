"""The way to load and run a model that uses public names of TensorFlow: about 0.1 ms more a run,
and declared shapes are enforced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gateway.backends.graph_rewrites import avoid_onednn_matmul
from gateway.backends.model_session import ClosableCall
from gateway.backends.placements import Placement
from gateway.backends.run_function import GraphCall, Wiring
from gateway.backends.tf_api import TensorFlowApi
from gateway.errors import invalid_argument


class PublicSession:
    """A session that the version 1 loader fills, called through ``Session.make_callable``."""

    def __init__(self, api: TensorFlowApi, placement: Placement) -> None:
        self._api = api
        self._graph = api.tf.Graph()
        self._session = api.tf.compat.v1.Session(graph=self._graph, config=placement.config)
        self._device = placement.device or None
        self._calls: list[ClosableCall] = []

    def load(self, path: Path, tags: Sequence[str], *, restore: bool) -> None:
        """Import the graph, fill its variables if ``restore``, run its initialiser."""
        loader = self._api.loader_impl.SavedModelLoader(str(path))
        avoid_onednn_matmul(loader.get_meta_graph_def_from_tags(tags))
        with self._graph.as_default(), self._graph.device(self._device):
            saver, _ = loader.load_graph(self._graph, tags, clear_devices=True)
        if restore:
            loader.restore_variables(self._session, saver)
        loader.run_init_ops(self._session, tags)
        self._graph.finalize()

    def call(self, wiring: Wiring) -> GraphCall:
        fed = {alias: self._graph.get_tensor_by_name(name) for alias, name in wiring.feeds.items()}
        run = self._session.make_callable(list(wiring.fetched_tensors), list(fed.values()))

        def call(arrays: tuple[Any, ...]) -> Sequence[Any]:
            for (alias, tensor), array in zip(fed.items(), arrays, strict=True):
                _check_feed(alias, tensor, array)
            values: Sequence[Any] = run(*arrays)
            return values

        self._calls.append(ClosableCall(call))
        return self._calls[-1]

    def close(self) -> None:
        for call in self._calls:
            call.close()
        self._calls.clear()
        if self._session is not None:
            self._session.close()
            # Operations and their graph refer to each other.
            self._api.ops.dismantle_graph(self._graph)
        self._session = self._graph = None


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
