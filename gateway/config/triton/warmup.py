"""``model_warmup`` of a config.pbtxt."""

from __future__ import annotations

import math
from typing import Any, Literal

from gateway.config.proto_text import Path, ProtoFile
from gateway.config.triton.model import WarmupInput, WarmupSample
from gateway.config.triton.tensors import datatype_of, is_inside
from gateway.config.wording import quoted

MAX_VALUES = 2**28
"""Of one input of a sample; 2 GiB of the widest numbers."""

_DATA: dict[str, Literal["zero", "random", "file"]] = {
    "zero_data": "zero",
    "random_data": "random",
    "input_data_file": "file",
}


def read_warmup(file: ProtoFile, max_batch_size: int | None) -> tuple[WarmupSample, ...]:
    """The samples to run. One with ``batch_size: 0`` is left out (Triton). Raises ConfigError."""
    samples: list[WarmupSample] = []
    for index, message in enumerate(file.message.model_warmup):
        place: Path = ("model_warmup", index)
        if not message.batch_size:
            continue
        if max_batch_size is not None and message.batch_size > max(1, max_batch_size):
            problem = f"batch_size {message.batch_size} exceeds max_batch_size {max_batch_size}"
            raise file.error((*place, "batch_size"), f"{_what(message)}: {problem}")
        if not message.inputs:
            raise file.error(place, f"{_what(message)} has no inputs")
        inputs = {
            name: _input(file, place, f"{_what(message)}, input {quoted(name)}", message, name)
            for name in sorted(message.inputs)
        }
        count = max(1, message.count)
        samples.append(WarmupSample(message.name, int(message.batch_size), count, inputs))
    return tuple(samples)


def _what(message: Any) -> str:
    return f"model_warmup {quoted(message.name)}"


def _input(file: ProtoFile, place: Path, what: str, sample: Any, name: str) -> WarmupInput:
    message = sample.inputs[name]
    for problem in _problems(message, sample.batch_size):
        raise file.error(place, f"{what}: {problem}")
    kind = _DATA[message.WhichOneof("input_data_type")]
    return WarmupInput(
        datatype_of(message),
        tuple(message.dims),
        kind,
        message.input_data_file if kind == "file" else "",
    )


def _problems(message: Any, rows: int) -> list[str]:
    problems: list[str] = []
    if not message.data_type:
        problems.append("it has no data_type")
    if any(size < 0 for size in message.dims):
        problems.append(f"dims must all be given, not {min(message.dims)}")
    elif rows * math.prod(message.dims) > MAX_VALUES:
        problems.append(f"it has more than {MAX_VALUES} values")
    source = message.WhichOneof("input_data_type")
    if source is None or not getattr(message, source):
        problems.append("it needs zero_data, random_data or input_data_file")
    elif source == "input_data_file" and not is_inside(message.input_data_file):
        problems.append(
            "input_data_file must be a file in the model's folder warmup, not "
            f"{quoted(message.input_data_file)}"
        )
    return problems
