"""``max_batch_size`` and ``dynamic_batching`` of a config.pbtxt as settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from gateway.config.explain import demand
from gateway.config.proto_text import Path, ProtoFile
from gateway.config.queue_settings import QueueSettings, queue_problems
from gateway.config.wording import quoted

_DYNAMIC: Path = ("dynamic_batching",)

_FIELDS: Mapping[str, Path] = {
    "priority_levels": (*_DYNAMIC, "priority_levels"),
    "default_priority_level": (*_DYNAMIC, "default_priority_level"),
    "priority_queue_policies": (*_DYNAMIC, "priority_queue_policy"),
}
"""The field that gives a setting; of others the whole message is blamed."""


def batch_size(file: ProtoFile, *, complete: bool) -> int | None:
    """``max_batch_size``; None when it is left open, which is so if 0 stands beside no tensors and
    what is open may be completed. Raises ConfigError."""
    config = file.message
    if config.max_batch_size < 0:
        problem = f"max_batch_size must not be negative, not {config.max_batch_size}"
        raise file.error(("max_batch_size",), problem)
    if not config.max_batch_size and not config.input and not config.output and complete:
        return None
    return int(config.max_batch_size)


def batching_settings(file: ProtoFile, size: int | None) -> dict[str, object]:
    """Settings that follow from ``size``, the result of ``batch_size``, and from dynamic_batching.

    A model that says how large a batch may be, but not that it is batched, is not (Triton).
    Raises ConfigError.
    """
    dynamic = file.message.HasField("dynamic_batching")
    settings: dict[str, object] = {}
    if size is not None:
        settings["batching"] = "auto" if size and dynamic else "off"
    if size:
        settings["max_batch_size"] = size
    if dynamic:
        settings |= _dynamic_settings(file, size)
    return settings


def _dynamic_settings(file: ProtoFile, size: int | None) -> dict[str, object]:
    batching = file.message.dynamic_batching
    for index, preferred in enumerate(batching.preferred_batch_size):
        if preferred < 1 or (size is not None and preferred > size):
            raise file.error(
                (*_DYNAMIC, "preferred_batch_size", index),
                f"preferred_batch_size must be from 1 to max_batch_size, not {preferred}",
            )
    queue = _queue_settings(batching)
    _check(file, queue)
    return {"batch_timeout_ms": batching.max_queue_delay_microseconds / 1000, **queue}


def _queue_settings(batching: Any) -> dict[str, object]:
    settings: dict[str, object] = {
        "priority_levels": batching.priority_levels,
        "default_priority_level": batching.default_priority_level,
        "preserve_ordering": batching.preserve_ordering,
    }
    if batching.HasField("default_queue_policy"):
        policy = _policy(batching.default_queue_policy)
        settings["queue_timeout_us"] = policy["timeout_us"]
        settings["queue_timeout_action"] = policy["timeout_action"]
        settings["allow_timeout_override"] = policy["allow_timeout_override"]
        settings["max_queue_size"] = policy["max_queue_size"]
    if batching.priority_queue_policy:
        settings["priority_queue_policies"] = {
            level: _policy(policy)
            for level, policy in sorted(batching.priority_queue_policy.items())
        }
    return settings


def _policy(policy: Any) -> dict[str, object]:
    return {
        "timeout_us": policy.default_timeout_microseconds,
        "timeout_action": policy.TimeoutAction.Name(policy.timeout_action).lower(),
        "allow_timeout_override": policy.allow_timeout_override,
        "max_queue_size": policy.max_queue_size,
    }


def _check(file: ProtoFile, settings: Mapping[str, object]) -> None:
    for setting, problem in _problems(settings):
        path = _FIELDS.get(setting, _DYNAMIC)
        raise file.error(path, f"{path[-1]} {problem}")


def _problems(settings: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    try:
        yield from queue_problems(QueueSettings.model_validate(settings))
    except ValidationError as error:
        mistake = error.errors()[0]
        yield str(mistake["loc"][0]), f"{demand(mistake)}, not {quoted(mistake['input'])}"
