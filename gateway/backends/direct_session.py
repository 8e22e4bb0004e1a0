"""The fast way to load and run a model. Uses names of TensorFlow that are not public; where they
are missing, ``public_session`` does the same with public ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gateway.backends.model_session import ClosableCall, failing
from gateway.backends.placements import Placement
from gateway.backends.run_function import GraphCall, Wiring
from gateway.backends.tf_api import TensorFlowApi
from gateway.backends.tf_errors import serving_error

_BINDINGS = (
    "TF_NewBufferFromString",
    "TF_DeleteBuffer",
    "TF_NewImportGraphDefOptions",
    "TF_ImportGraphDefOptionsSetPrefix",
    "TF_DeleteImportGraphDefOptions",
    "TF_GraphImportGraphDefWithResults",
    "TF_DeleteImportGraphDefResults",
    "TF_SessionRunCallable",
)


class DirectSession:
    """A session whose graph has no Python objects for its operations: nothing to build with the
    global lock held, no cycles to collect. Shapes are not checked, as in TF Serving.

    A new one is empty: ``import_graph``, then ``run_op`` to restore and initialise.
    """

    @staticmethod
    def is_supported(api: TensorFlowApi) -> bool:
        """Whether this TensorFlow has the names that are needed."""
        return hasattr(api.tf.compat.v1.Session, "_make_callable_from_options") and all(
            hasattr(api.pywrap_session, name) for name in _BINDINGS
        )

    def __init__(self, api: TensorFlowApi, placement: Placement) -> None:
        self._api = api
        self._op_error = api.tf.errors.OpError
        self._graph = api.tf.Graph()
        self._session = api.tf.compat.v1.Session(graph=self._graph, config=placement.config)
        self._calls: list[ClosableCall] = []

    def import_graph(self, pieces: Iterable[bytes]) -> None:
        """Add serialized GraphDefs. Raises TensorFlow's errors."""
        for piece in pieces:
            self._import(piece)

    def run_op(self, name: str, feeds: Mapping[str, str]) -> None:
        """Run the operation ``name`` with strings for the tensors ``feeds``. Raises TensorFlow's
        errors."""
        paths = [np.array(text.encode(), object) for text in feeds.values()]
        self._callable(feed=tuple(feeds), target=(name,))(*paths)

    def call(self, wiring: Wiring) -> GraphCall:
        """A signature that TensorFlow refuses to compile does not keep others from running: its
        call tells why."""
        try:
            # In the calling thread: no hand-over, and its CPU time is the run's.
            run = self._without_wrapper(
                self._callable(
                    feed=tuple(wiring.feeds.values()),
                    fetch=wiring.fetched_tensors,
                    run_options=self._api.config_pb2.RunOptions(inter_op_thread_pool=-1),
                )
            )
        except self._op_error as error:
            told = serving_error(error)
            run = failing(told.code, told.message)
        self._calls.append(ClosableCall(run))
        return self._calls[-1]

    def close(self) -> None:
        for call in self._calls:
            call.close()
        self._calls.clear()
        if self._session is not None:
            self._session.close()
        self._session = self._graph = None

    def _import(self, piece: bytes) -> None:
        tf = self._api.pywrap_session
        options = tf.TF_NewImportGraphDefOptions()
        buffer = tf.TF_NewBufferFromString(piece)
        try:
            tf.TF_ImportGraphDefOptionsSetPrefix(options, "")
            results = tf.TF_GraphImportGraphDefWithResults(self._graph, buffer, options)
            tf.TF_DeleteImportGraphDefResults(results)
        finally:
            tf.TF_DeleteBuffer(buffer)
            tf.TF_DeleteImportGraphDefOptions(options)

    def _callable(
        self,
        *,
        feed: Sequence[str],
        fetch: Sequence[str] = (),
        target: Sequence[str] = (),
        run_options: Any = None,
    ) -> Callable[..., Any]:
        options = self._api.config_pb2.CallableOptions(
            feed=feed, fetch=fetch, target=target, run_options=run_options
        )
        compiled: Callable[..., Any] = self._session._make_callable_from_options(options)
        return compiled

    def _without_wrapper(self, compiled: Callable[..., Any]) -> GraphCall:
        """``compiled`` without the Python around its C function, which would cost a twentieth of
        the run of a model that computes next to nothing."""
        session = getattr(self._session, "_session", None)
        handle = getattr(compiled, "_handle", None)
        if session is None or handle is None:
            return lambda arrays: compiled(*arrays)
        run_callable = self._api.pywrap_session.TF_SessionRunCallable

        def run(arrays: tuple[Any, ...], _owner: object = compiled) -> Sequence[Any]:
            # The owner of the handle keeps the session alive as well: both are bare pointers.
            values: Sequence[Any] = run_callable(session, handle, arrays, None)
            return values

        return run
