"""Inference requests and answers, as both transports hand them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from gateway.codecs.json_text import quote
from gateway.errors import invalid_argument

Parameter = str | int | float | bool
Parameters = Mapping[str, Parameter]

MAX_TENSORS = 1024
"""Inputs, or requested outputs, of one request. No signature comes near."""
MAX_ID_BYTES = 1024
"""Of a request's id, which comes back in the answer and in messages."""

_REGION, _SIZE, _OFFSET = (
    "shared_memory_region",
    "shared_memory_byte_size",
    "shared_memory_offset",
)


@dataclass(frozen=True, slots=True)
class SharedMemoryRange:
    """Where a tensor lies in a registered region. Not checked against the region."""

    region: str
    byte_size: int
    offset: int = 0

    def parameters(self, used: int) -> dict[str, Parameter]:
        """What an answer says of an output of ``used`` bytes there."""
        where: dict[str, Parameter] = {_REGION: self.region, _SIZE: used}
        return where | {_OFFSET: self.offset} if self.offset else where


@dataclass(frozen=True, slots=True)
class InferInput:
    """One input: an array, or where in shared memory it is."""

    name: str
    datatype: str
    """As the client calls it, which is the array's as well."""
    shape: tuple[int, ...]
    array: NDArray[Any] | None = None
    shared_memory: SharedMemoryRange | None = None


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """What a request says of one output."""

    name: str
    binary: bool | None = None
    """REST: raw or JSON; None leaves it to the request's ``binary_data_output``."""
    classes: int = 0
    """So many classes instead of the values (classification extension); 0: the values."""
    shared_memory: SharedMemoryRange | None = None

    @classmethod
    def from_parameters(cls, name: str, parameters: Parameters) -> RequestedOutput:
        """Raises ServingError (INVALID_ARGUMENT)."""
        what = f"output '{name[:256]}'"
        binary = parameters.get("binary_data")
        if binary is not None and type(binary) is not bool:
            raise invalid_argument(f"{what}: binary_data must be true or false")
        classes = parameters.get("classification", 0)
        if type(classes) is not int or classes < 0:
            raise invalid_argument(
                f"{what}: classification must be a number of classes, got {quote(classes)}"
            )
        memory = shared_memory_range(parameters, what)
        if memory is not None and classes:
            raise invalid_argument(f"{what}: classification cannot be put into shared memory")
        return cls(name, binary, classes, memory)


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request for inference whose tensors are decoded; not checked against the model."""

    model_name: str
    inputs: Sequence[InferInput]
    outputs: Sequence[RequestedOutput] = ()
    """Empty: all outputs."""
    model_version: str = ""
    """Decimal; empty leaves it to the server."""
    id: str = ""
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InferOutput:
    """One output of an answer."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    array: NDArray[Any] | None
    """None: its bytes are in shared memory."""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    """gRPC: where in shared memory."""
    binary: bool | None = None
    """As asked for in the request (REST)."""


@dataclass(frozen=True, slots=True)
class InferResponse:
    """The answer to a request for inference."""

    model_name: str
    model_version: str
    id: str
    outputs: list[InferOutput]
    parameters: dict[str, Parameter] = field(default_factory=dict)


def shared_memory_range(parameters: Parameters, what: str) -> SharedMemoryRange | None:
    """The place in shared memory that a tensor's parameters name; None when they name none.
    Raises ServingError (INVALID_ARGUMENT), which calls the tensor ``what``."""
    region = parameters.get(_REGION)
    if region is None:
        if _OFFSET in parameters or _SIZE in parameters:
            raise invalid_argument(f"{what}: {_REGION} is missing")
        return None
    if type(region) is not str or not region:
        raise invalid_argument(f"{what}: {_REGION} must be a region's name, got {quote(region)}")
    if _SIZE not in parameters:
        raise invalid_argument(f"{what}: {_SIZE} is missing")
    size, offset = (_byte_count(parameters.get(key, 0), key, what) for key in (_SIZE, _OFFSET))
    return SharedMemoryRange(region, size, offset)


def _byte_count(value: Parameter, key: str, what: str) -> int:
    if type(value) is not int or value < 0:
        raise invalid_argument(f"{what}: {key} must be a number of bytes, got {quote(value)}")
    return value
