"""Request traces (trace extension): settings, sampling, and the record of one request.

A trace is an entry in the server's log with the times of a request's steps. Nothing that a client
sends decides where anything is written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from batching import Item
from gateway.codecs.json_text import quote
from gateway.errors import ServingError, invalid_argument

logger = logging.getLogger(__name__)

SettingValue = str | list[str] | None
"""None: what is set for the server, or by default."""

_INT_DIGITS = 10
_NS = 1_000_000_000
_LEVELS = ("OFF", "TIMESTAMPS")
_FIXED = {"log_frequency": "0", "trace_file": "", "trace_mode": "triton"}
"""Settings that concern the trace file, which this server does not have."""


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """How requests are traced."""

    level: str = "OFF"
    rate: int = 1000
    """One request in so many."""
    count: int = -1
    """So many more traces; -1 for no end."""

    def as_json(self) -> dict[str, str | list[str]]:
        """In the protocol every value is a string."""
        return {
            "trace_level": [self.level],
            "trace_rate": str(self.rate),
            "trace_count": str(self.count),
            **_FIXED,
        }


class Tracer:
    """Settings of the server and of single models. Lives on the event loop."""

    def __init__(self) -> None:
        self._server = TraceSettings()
        self._models: dict[str, dict[str, Any]] = {}
        """What single models have for themselves."""
        self._seen: dict[str, int] = {}
        self._left: dict[str, int] = {}
        self._active = False

    def settings(self, model: str = "") -> TraceSettings:
        """What is in force, for one model or for the server."""
        return replace(self._server, **self._models.get(model, {}))

    def update(self, settings: Mapping[str, Any], model: str = "") -> TraceSettings:
        """Change those that are named; returns what is in force. Raises ServingError
        (INVALID_ARGUMENT) and changes nothing when one cannot be set."""
        cleared, chosen = _parse(settings)
        if model:
            own = {k: v for k, v in self._models.get(model, {}).items() if k not in cleared}
            self._models[model] = own | chosen
        else:
            defaults = {name: getattr(TraceSettings(), name) for name in cleared}
            self._server = replace(self._server, **defaults, **chosen)
        if "count" in chosen or "count" in cleared:
            self._left.clear()
        levels = [self._server.level, *(m.get("level", "OFF") for m in self._models.values())]
        self._active = any(level != "OFF" for level in levels)
        return self.settings(model)

    def trace(self, model: str, version: int, request_id: str, started: float, item: Item) -> None:
        """Write the trace of an answered request, if it is one of those to trace. ``started`` is a
        second of the monotonic clock."""
        if not self._active:
            return
        settings = self.settings(model)
        if settings.level == "OFF" or not self._is_sampled(model, settings):
            return
        logger.info(
            "request trace",
            extra={
                "model_name": model,
                "model_version": version,
                "request_id": request_id,
                "timestamps": _timestamps(started, item),
            },
        )

    def _is_sampled(self, model: str, settings: TraceSettings) -> bool:
        seen = self._seen[model] = self._seen.get(model, 0) + 1
        left = self._left.get(model, settings.count)
        if seen % settings.rate or not left:
            return False
        self._left[model] = left - (left > 0)
        return True


def _timestamps(started: float, item: Item) -> dict[str, int]:
    """Triton's names; nanoseconds of the monotonic clock."""
    timing = item.timing
    assert timing is not None, "the item is answered"
    seconds = {
        "REQUEST_START": started,
        "QUEUE_START": item.enqueued_at,
        "COMPUTE_START": item.first_sealed_at or timing.sealed_at,
        "COMPUTE_INPUT_END": timing.started_at,
        "COMPUTE_OUTPUT_START": timing.finished_at,
        "COMPUTE_END": timing.finished_at,
        "REQUEST_END": time.monotonic(),
    }
    return {name: round(second * _NS) for name, second in seconds.items()}


def _parse(settings: Mapping[str, Any]) -> tuple[set[str], dict[str, Any]]:
    """Settings to clear, and the others with their values."""
    readers = {"trace_level": _level, "trace_rate": _rate, "trace_count": _count}
    cleared: set[str] = set()
    chosen: dict[str, Any] = {}
    for key, value in settings.items():
        field = key.removeprefix("trace_")
        if key in _FIXED:
            _check_fixed(key, value)
        elif key not in readers:
            raise invalid_argument(f"unknown trace setting {quote(key)}")
        elif value is None:
            cleared.add(field)
        else:
            chosen[field] = readers[key](value)
    return cleared, chosen


def _check_fixed(key: str, value: Any) -> None:
    if value is not None and _single(value) != _FIXED[key]:
        raise invalid_argument(
            f"{key} cannot be set by clients: traces are entries in the server's log"
        )


def _single(value: Any) -> Any:
    """gRPC has a list for every setting."""
    return value[0] if type(value) is list and len(value) == 1 else value


def _level(value: Any) -> str:
    levels = value if type(value) is list else [value]
    if "TENSORS" in levels:
        raise invalid_argument("trace_level TENSORS is not supported: data is not traced")
    if not levels or any(level not in _LEVELS for level in levels):
        raise invalid_argument(f"trace_level must be OFF or TIMESTAMPS, got {quote(value)}")
    return str(levels[-1])


def _rate(value: Any) -> int:
    return _integer("trace_rate", value, least=1)


def _count(value: Any) -> int:
    return _integer("trace_count", value, least=-1)


def _integer(key: str, value: Any, least: int) -> int:
    text = _single(value)
    if type(text) is int:
        text = str(text)
    if type(text) is str and len(text) <= _INT_DIGITS and text.removeprefix("-").isdecimal():
        number = int(text)
        if number >= least:
            return number
    raise _no_integer(key, value, least)


def _no_integer(key: str, value: Any, least: int) -> ServingError:
    return invalid_argument(f"{key} must be a whole number, at least {least}, got {quote(value)}")
