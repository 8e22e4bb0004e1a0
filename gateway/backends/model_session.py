"""What every way of running a model in a session has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gateway.backends.run_function import GraphCall, Wiring
from gateway.errors import Code, ServingError


class ModelSession(Protocol):
    """A session with the graph, variables and tables of one copy of a model."""

    def call(self, wiring: Wiring) -> GraphCall:
        """What feeds and fetches the tensors of ``wiring``, in the calling thread. After ``close``
        it raises ServingError."""

    def close(self) -> None:
        """Free everything at once, whatever calls are still held. No run may be in progress.

        Needs no garbage collection: a full one stops all threads for a fifth of a second where
        TensorFlow is imported, and frees nothing that ``gc.freeze`` has set aside.
        """


class ClosableCall:
    """A GraphCall that can be made to let go of its session."""

    __slots__ = ("_run",)

    def __init__(self, run: GraphCall) -> None:
        self._run = run

    def __call__(self, arrays: tuple[Any, ...]) -> Sequence[Any]:
        return self._run(arrays)

    def close(self) -> None:
        """Calls that come later are refused."""
        self._run = failing(Code.UNAVAILABLE, "the model version has been unloaded")


def failing(code: Code, message: str) -> GraphCall:
    """A call that can only fail."""

    def fail(arrays: tuple[Any, ...]) -> Sequence[Any]:
        raise ServingError(code, message)

    return fail
