"""``input`` and ``output`` of a config.pbtxt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

from gateway.config.proto_text import Path, ProtoFile
from gateway.config.triton.model import TritonTensor
from gateway.config.wording import quoted

Kind = Literal["input", "output"]
ReadLabels = Callable[[str], str]
"""The text of a label file, by its name in the model's folder. Raises ConfigError."""


def datatype_of(message: Any) -> str:
    """The protocol's name of the message's data_type; empty for TYPE_INVALID."""
    values = message.DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number
    name = str(values[message.data_type].name).removeprefix("TYPE_")
    return {"INVALID": "", "STRING": "BYTES"}.get(name, name)


def is_inside(name: str) -> bool:
    """Whether a relative path leads nowhere but below."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def read_tensors(
    file: ProtoFile, kind: Kind, read_labels: ReadLabels, *, complete: bool
) -> dict[str, TritonTensor]:
    """By name. With ``complete`` types, dimensions and all of it may be left open.

    Raises ConfigError.
    """
    tensors: dict[str, TritonTensor] = {}
    declared = getattr(file.message, kind)
    if not declared and not complete:
        raise file.error((), f"there is no {kind} (and nothing may be left open)")
    for index, message in enumerate(declared):
        place: Path = (kind, index)
        _check(file, place, kind, message, complete=complete)
        if message.name in tensors:
            raise file.error(place, f"{kind} {quoted(message.name)} is listed twice")
        tensors[message.name] = _tensor(file, place, message, read_labels)
    return tensors


def _check(file: ProtoFile, place: Path, kind: Kind, message: Any, *, complete: bool) -> None:
    if not message.name:
        raise file.error(place, f"an {kind} has no name")
    what = f"{kind} {quoted(message.name)}"
    if not message.data_type and not complete:
        raise file.error(place, f"{what} has no data_type")
    if not message.dims and not complete:
        raise file.error(place, f"{what} has no dims")
    for field, sizes in (("dims", message.dims), ("reshape", message.reshape.shape)):
        wrong = [size for size in sizes if size == 0 or size < -1]
        if wrong:
            problem = f"{what}: {field} must be positive, or -1 for any size, not {wrong[0]}"
            raise file.error((*place, field), problem)
    if message.HasField("reshape") and not _holds_as_much(message.reshape.shape, message.dims):
        problem = f"{what}: reshape must have as many values as dims, and as many sizes of -1"
        raise file.error((*place, "reshape"), problem)
    if getattr(message, "allow_ragged_batch", False):
        raise file.error(
            (*place, "allow_ragged_batch"),
            f"{what}: allow_ragged_batch is not supported; inputs of different lengths can be "
            'padded: parameters "tensorgate.padding"',
        )
    if message.is_shape_tensor:
        raise file.error((*place, "is_shape_tensor"), f"{what}: is_shape_tensor is for TensorRT")


def _holds_as_much(shape: Sequence[int], dims: Sequence[int]) -> bool:
    """Triton, ValidateModelInput; sizes of -1 correspond in order."""
    free = list(dims).count(-1)
    return list(shape).count(-1) == free and (free > 0 or math.prod(shape) == math.prod(dims))


def _tensor(file: ProtoFile, place: Path, message: Any, read_labels: ReadLabels) -> TritonTensor:
    reshape = tuple(message.reshape.shape) if message.HasField("reshape") else None
    return TritonTensor(
        message.name,
        datatype_of(message),
        tuple(message.dims),
        reshape,
        optional=getattr(message, "optional", False),
        labels=_labels(file, place, message, read_labels),
    )


def _labels(file: ProtoFile, place: Path, message: Any, read_labels: ReadLabels) -> tuple[str, ...]:
    name = getattr(message, "label_filename", "")
    if not name:
        return ()
    if not is_inside(name):
        problem = f"label_filename must be a file in the model's folder, not {quoted(name)}"
        raise file.error((*place, "label_filename"), problem)
    return tuple(read_labels(name).splitlines())
