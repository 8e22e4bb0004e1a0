"""Requests with one description: which version takes them, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from batching import Inputs
from gateway.codecs.predict_json import Form
from gateway.engine.mirror import Mirror
from gateway.hop.frames import Buffer
from gateway.hop.inputs import Description, InputReader, read_description
from gateway.http.call import InferenceApi
from gateway.http.paths import ModelPath
from gateway.models.registry import Registry
from gateway.models.servable import Servable, SignatureQueue

_MOST_CHANNELS = 1024


@dataclass(frozen=True, slots=True)
class Lane:
    """A version's signature that takes requests of a channel; what they have in common."""

    api: InferenceApi[Any]
    path: ModelPath
    form: Form
    """Of the answers."""
    servable: Servable
    queue: SignatureQueue
    read: Callable[[Buffer, int], Inputs]
    """The inputs of a request from its values and its number of rows. Raises BrokenFrame."""


class Channel:
    """All requests of one description. Knows the versions that it has met."""

    __slots__ = ("_channels", "_description", "_generation", "_lanes", "path")

    def __init__(self, channels: Channels, description: Description) -> None:
        self._channels = channels
        self._description = description
        self._generation = -1
        self._lanes: list[Lane] = []
        found = description
        self.path = ModelPath("predict", found.name, found.version, found.label)

    def lane(self) -> Lane | None:
        """Where the next request goes; None when it was read by a signature that is not that of
        its version. Raises ServingError as ``Registry.resolve``, BrokenFrame for an input that
        the signature does not have.

        No lease is taken: the request is queued before anything else can happen, and a version
        that leaves answers what it has queued.
        """
        path, mirror = self.path, self._channels.mirror
        servable = self._channels.registry.resolve(path.name, path.version, path.label)
        if self._generation != mirror.generation:
            self._generation = mirror.generation
            self._lanes.clear()
        for lane in self._lanes:
            if lane.servable is servable:
                return lane
        checked = self._checked(servable)
        if checked is not None:
            self._lanes.append(checked)
        return checked

    def is_steady(self) -> bool:
        """Whether all requests mean one version, as long as nothing else runs. The weights of a
        label decide for each request."""
        entry = self._channels.registry.models.get(self.path.name)
        if self.path.label is not None or entry is None:
            return False
        return self.path.version is not None or not entry.settings.default_label

    def _checked(self, servable: Servable) -> Lane | None:
        found, channels = self._description, self._channels
        queue = servable.queues.get(found.signature)
        if queue is None or channels.mirror.digest_of(found.name, queue) != found.digest:
            return None
        dtypes = {alias: spec.dtype for alias, spec in queue.signature.inputs.items()}
        read = InputReader(found.layout, dtypes).read
        form = Form.ROW if found.rows else Form.COLUMN
        return Lane(channels.api, self.path, form, servable, queue, read)


class Channels:
    """The channels of all fronts: requests of several fronts are alike to the batcher."""

    def __init__(self, registry: Registry, mirror: Mirror, api: InferenceApi[Any]) -> None:
        """``api`` is that of predict."""
        self.registry = registry
        self.mirror = mirror
        self.api = api
        self._channels: dict[bytes, Channel] = {}

    def get(self, text: bytes) -> Channel:
        """The channel of a description. Raises BrokenFrame unless the text is one."""
        channel = self._channels.get(text)
        if channel is None:
            if len(self._channels) >= _MOST_CHANNELS:
                self._channels.clear()
            channel = self._channels[text] = Channel(self, read_description(text))
        return channel
