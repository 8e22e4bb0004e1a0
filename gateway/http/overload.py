"""Queues that are full: their next request is refused before anything is done for it."""

from __future__ import annotations

from batching import QueueFull
from gateway.errors import ServingError
from gateway.http.paths import ModelPath
from gateway.models.registry import Registry
from gateway.models.servable import Servable, SignatureQueue
from gateway.translation import serving_error


class Overload:
    """What queues refused last, for as long as they would refuse it again.

    Only refusals of a single row count, since what has more rows is not known before it is read,
    and only those of models that a path names without a choice to be made.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.refused: dict[ModelPath, tuple[Servable, SignatureQueue, QueueFull, ServingError]] = {}

    def note(
        self, path: ModelPath, servable: Servable, queue: SignatureQueue, error: QueueFull
    ) -> None:
        """``queue`` refused a request."""
        if queue.batcher.refusing is error and self._is_definite(path):
            self.refused[path] = (servable, queue, error, serving_error(error))

    def refusal(self, path: ModelPath, signature: str | None = None) -> ServingError | None:
        """What a request for ``path`` would be told; None where it might be taken.

        With no ``signature`` named it may mean any that the model has.
        """
        if not self.refused or (found := self.refused.get(path)) is None:
            return None
        servable, queue, error, told = found
        if queue.batcher.refusing is not error or not self._still_serves(path, servable):
            del self.refused[path]
            return None
        if signature is None and len(servable.queues) > 1:
            return None
        if signature is not None and servable.queues.get(signature) is not queue:
            return None
        queue.batcher.refuse_again()
        servable.outcomes.count(told)
        return told

    def _is_definite(self, path: ModelPath) -> bool:
        entry = self._registry.models.get(path.name)
        return path.label is None and entry is not None and not entry.settings.default_label

    def _still_serves(self, path: ModelPath, servable: Servable) -> bool:
        try:
            return self._registry.resolve(path.name, path.version) is servable
        except ServingError:
            return False
