"""Finding models and versions as the protocol names them, with its errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from batching import Batcher
from gateway.codecs.json_text import quote
from gateway.config.settings import ResolvedModel
from gateway.config.triton.model import TritonModel
from gateway.errors import Code, ServingError, invalid_argument, not_found
from gateway.models.registry import ModelEntry, Registry
from gateway.models.servable import Servable, SignatureQueue
from gateway.oip.interface import ModelInterface, make_interface

DEFAULT_SIGNATURE = "serving_default"

_VERSION = re.compile(r"[0-9]{1,19}", re.ASCII)
_INT64_MAX = 2**63 - 1


def parse_version(text: str) -> int | None:
    """None for an empty text, the server's choice. Raises ServingError (INVALID_ARGUMENT)."""
    if not text:
        return None
    if not _VERSION.fullmatch(text) or int(text) > _INT64_MAX:
        raise invalid_argument(
            f"failed to get model version from specified version string {quote(text)}: it should"
            " be an integer value > 0"
        )
    return int(text)


class Models:
    """The registry as clients of the protocol see it. Lives on the event loop."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._interfaces: WeakKeyDictionary[Batcher, tuple[TritonModel | None, ModelInterface]] = (
            WeakKeyDictionary()
        )

    def settings(self, name: str) -> ResolvedModel:
        """Of a model that is configured. Raises KeyError."""
        return self.registry.models[name].settings

    def resolve(self, name: str, version: str) -> Servable:
        """The version that takes a request. Raises ServingError: NOT_FOUND, UNAVAILABLE while it
        loads, INVALID_ARGUMENT for a version that is no number."""
        number = parse_version(version)
        try:
            return self.registry.resolve(name, number)
        except ServingError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            raise _unknown(name, number, self.registry.models.get(name)) from error

    def queue(self, servable: Servable, signature_name: str = "") -> SignatureQueue:
        """The queue of a signature; without a name that of the model's default one, or of the only
        one there is. Raises ServingError (INVALID_ARGUMENT)."""
        queues = servable.queues
        name = signature_name or self._default_signature(servable.name)
        queue = queues.get(name)
        if queue is None and not signature_name and len(queues) == 1:
            [queue] = queues.values()
        if queue is None:
            raise invalid_argument(
                f"model '{servable.name}' has no signature {quote(name)}"
                f" (expected: {', '.join(queues)})"
            )
        return queue

    def interface(self, queue: SignatureQueue, settings: ResolvedModel) -> ModelInterface:
        """How clients see the signature that ``queue`` serves."""
        known = self._interfaces.get(queue.batcher)
        if known is None or known[0] is not settings.triton:
            known = settings.triton, make_interface(settings, queue)
            self._interfaces[queue.batcher] = known
        return known[1]

    def is_ready(self, name: str, version: str) -> bool:
        """Whether the version, or any when none is given, takes requests. Raises ServingError
        (INVALID_ARGUMENT) for a version that is no number."""
        number = parse_version(version)
        try:
            self.registry.resolve(name, number)
        except ServingError:
            return False
        return True

    def versions(self, name: str, asked: str) -> Mapping[int, Servable]:
        """Those that take requests, lowest first; just the one that was asked for."""
        if asked:
            servable = self.resolve(name, asked)
            return {servable.version: servable}
        return dict(sorted(self.registry.models[name].available().items()))

    def _default_signature(self, name: str) -> str:
        entry = self.registry.models.get(name)
        triton = entry.settings.triton if entry is not None else None
        return triton.signature if triton is not None else DEFAULT_SIGNATURE


def _unknown(name: str, version: int | None, entry: ModelEntry | None) -> ServingError:
    request = f"Request for unknown model: '{quote(name)[1:-1]}'"
    if version is not None:
        return not_found(f"{request} version {version} is not found")
    if entry is not None:
        return not_found(f"{request} has no available versions")
    return not_found(f"{request} is not found")
