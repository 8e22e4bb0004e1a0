"""TF Serving's BatchingParameters text: one file for the server, or one in a version's folder."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateway.config.files import read_text
from gateway.config.inherited import BatchSettings
from gateway.config.proto_text import Path as FieldPath
from gateway.config.proto_text import ProtoFile, parse

_LEAST = {
    "max_batch_size": 1,
    "batch_timeout_micros": 0,
    "max_enqueued_batches": 1,
    "num_batch_threads": 1,
    "max_execution_batch_size": 1,
}

# What TensorFlow's batch scheduler takes for a field that is not there.
_TF_MAX_BATCH_SIZE = 1000
_TF_MAX_ENQUEUED_BATCHES = 10


def read_batching_parameters(path: Path, label: str) -> dict[str, object]:
    """Fields of ResolvedModel that the file at ``path`` sets; errors call it ``label``.

    A file that says how large a batch is also decides about allowed_batch_sizes and
    max_queue_rows, so that the three fit. Raises ConfigError.
    """
    return batch_settings(parse_batching_parameters(read_text(path, label), label))


def parse_batching_parameters(text: str, label: str) -> ProtoFile:
    """The file's message. Raises ConfigError for text that is none."""
    from gateway.protos.config_files import POOL, BatchingParameters

    return parse(text, BatchingParameters(), label, POOL)


def batch_settings(
    file: ProtoFile, parameters: Any = None, path: FieldPath = ()
) -> dict[str, object]:
    """Settings by name from ``parameters`` at ``path`` of ``file``; they are all of it by default.

    Raises ConfigError for values out of range, or that TF Serving's load would refuse.
    """
    message = file.message if parameters is None else parameters
    for field, problem in _problems(message):
        raise file.error((*path, *field), problem)
    settings: dict[str, object] = {}
    if message.HasField("batch_timeout_micros"):
        settings["batch_timeout_ms"] = message.batch_timeout_micros.value / 1000
    if message.HasField("pad_variable_length_inputs"):
        settings["pad_variable_length_inputs"] = message.pad_variable_length_inputs
    if message.HasField("enable_large_batch_splitting"):
        settings["split_large_requests"] = message.enable_large_batch_splitting.value
    return settings | _sizes(message)


def unused_fields(message: Any) -> list[str]:
    """Fields of ``message`` that are set and have no meaning here."""
    unused = [name for name in ("num_batch_threads", "thread_pool_name") if message.HasField(name)]
    if message.HasField("max_execution_batch_size") and not _splits(message):
        unused.append("max_execution_batch_size")
    return unused


def _sizes(message: Any) -> dict[str, object]:
    """Batch and queue sizes, if the file says anything about one of them."""
    given = ("max_batch_size", "max_enqueued_batches", "max_execution_batch_size")
    if not message.allowed_batch_sizes and not any(map(message.HasField, given)):
        return {}
    rows = _largest_request(message) * _TF_MAX_ENQUEUED_BATCHES
    rows = max(rows, BatchSettings.model_fields["max_queue_rows"].default)
    if message.HasField("max_enqueued_batches"):
        rows = _largest_request(message) * message.max_enqueued_batches.value
    return {
        "max_batch_size": _largest_batch(message),
        "allowed_batch_sizes": tuple(message.allowed_batch_sizes),
        "max_queue_rows": rows,
    }


def _largest_request(message: Any) -> int:
    """TF Serving's max_batch_size: of a request that it takes, and of its queue's unit."""
    present = message.HasField("max_batch_size")
    return int(message.max_batch_size.value) if present else _TF_MAX_BATCH_SIZE


def _largest_batch(message: Any) -> int:
    if _splits(message) and message.HasField("max_execution_batch_size"):
        return int(message.max_execution_batch_size.value)
    return _largest_request(message)


def _splits(message: Any) -> bool:
    return bool(message.enable_large_batch_splitting.value)


def _problems(message: Any) -> Iterator[tuple[FieldPath, str]]:
    for name, least in _LEAST.items():
        value = getattr(message, name).value
        if message.HasField(name) and value < least:
            yield (name, "value"), f"{name} must be at least {least}, not {value}"
    if _largest_batch(message) > _largest_request(message):
        yield (
            ("max_execution_batch_size", "value"),
            f"max_execution_batch_size must be at most max_batch_size = "
            f"{_largest_request(message)}, not {_largest_batch(message)}",
        )
    yield from _allowed_size_problems(message)


def _allowed_size_problems(message: Any) -> Iterator[tuple[FieldPath, str]]:
    sizes = list(message.allowed_batch_sizes)
    for index, (before, size) in enumerate(pairwise([0, *sizes])):
        if size <= before:
            yield (
                ("allowed_batch_sizes", index),
                f"allowed_batch_sizes must be ascending, without repeats, not {sizes}",
            )
    if sizes and sizes[-1] != _largest_batch(message):
        splitting = _splits(message) and message.HasField("max_execution_batch_size")
        limit = "max_execution_batch_size" if splitting else "max_batch_size"
        yield (
            ("allowed_batch_sizes", len(sizes) - 1),
            f"allowed_batch_sizes must end with {limit} = {_largest_batch(message)}, "
            f"not {sizes[-1]}",
        )
