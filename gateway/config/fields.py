"""Types of the settings' values, each with the limits that hold for it alone.

Validation is strict: what comes as text (environment, flags) has been decoded before.
A validator's message continues the line "SETTING ...".
"""

from __future__ import annotations

import ipaddress
import re
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

_DEVICE = re.compile(r"(cpu|gpu):(0|[1-9][0-9]*)")
_AXIS_REFERENCE = re.compile(r"(.+):([1-9][0-9]*)", re.DOTALL)


MOST_WORKERS = 256


class AutoSize(int):
    """A size that is found out while serving, from this number on. No plain number equals it, so
    that a change from one to the other is a change."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AutoSize) and int(self) == int(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__

    def __repr__(self) -> str:
        return "auto"


AUTO_BATCH_SIZE = AutoSize(32)


def parse_axis_reference(text: str) -> tuple[str, int]:
    """``("tokens", 1)`` for ``"tokens:1"``: an input's alias and one of its axes, from 1.

    Raises ValueError when ``text`` is nothing of the kind.
    """
    match = _AXIS_REFERENCE.fullmatch(text)
    if match is None:
        raise ValueError('must be written "INPUT:AXIS" with an axis of 1 or more')
    return match[1], int(match[2])


def _check_axis_reference(text: str) -> str:
    parse_axis_reference(text)
    return text


def _auto_batch_size(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    if isinstance(value, AutoSize) or (isinstance(value, str) and value.lower() == "auto"):
        return AUTO_BATCH_SIZE
    return validate(value)


def _auto_or_number(size: int) -> int | str:
    return "auto" if isinstance(size, AutoSize) else size


def _list_to_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _log_format(value: object) -> object:
    """Triton's two formats are ways to write the time."""
    value = _lower(value)
    return "auto" if value in ("default", "iso8601") else value


def _axis_key(value: object) -> object:
    """TOML and JSON have only text for keys."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _ascending(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise ValueError("must be ascending, without repeats")
    return numbers


def _not_empty(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if not numbers:
        raise ValueError("must name at least one")
    return numbers


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise ValueError("must not name anything twice")
    return values


def _device(name: str) -> str:
    if not _DEVICE.fullmatch(name):
        raise ValueError('must be written like "cpu:0" or "gpu:1"')
    return name


def _host(host: str) -> str:
    if not host or any(character.isspace() or character == "/" for character in host):
        raise ValueError("must be a host name or an address")
    if ":" in host:
        _check_ipv6(host)
    return host


def _check_ipv6(host: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError("must be an address without a port (see rest_api_port)") from None


def _model_name(name: str) -> str:
    if not name or "/" in name or ":" in name:
        raise ValueError("must be a model name: not empty, without / and : (it is part of URLs)")
    return name


def _local_path(path: str) -> str:
    if "://" in path:
        raise ValueError("must be a local folder: this version does not read from URIs")
    return path


def _file_stem(name: str) -> str:
    if "/" in name or name.startswith("."):
        raise ValueError("must be a file's name, without folder and ending")
    return name


def _names_or_all(names: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in names and len(names) > 1:
        raise ValueError('must be names of models, or "*" alone')
    return names


def _scalar(value: object) -> object:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError("must be a number, a text, true or false")
    return value


def _no_less_than_0(seconds: float) -> float:
    """TF Serving takes a negative pause between reloads as 0: never."""
    return max(0.0, seconds)


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _workers(text: str) -> str:
    text = text.strip().lower()
    if text != "auto" and not (text.isdecimal() and int(text) <= MOST_WORKERS):
        raise ValueError(f'must be "auto" or a number from 0 to {MOST_WORKERS}')
    return text


def _metrics_path(path: str) -> str:
    if path and (not path.startswith("/") or any(c.isspace() or c in "?#" for c in path)):
        raise ValueError('must be a URL path that starts with "/", or empty')
    return path


Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Bytes = Count
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PauseSeconds = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_no_less_than_0)]
PollSeconds = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Host = Annotated[str, AfterValidator(_host)]
ModelName = Annotated[str, AfterValidator(_model_name)]
LocalPath = Annotated[str, AfterValidator(_local_path)]
LocalPaths = Annotated[
    tuple[LocalPath, ...], BeforeValidator(_list_to_tuple), AfterValidator(_distinct)
]
ModelNames = Annotated[
    tuple[ModelName, ...],
    BeforeValidator(_list_to_tuple),
    AfterValidator(_distinct),
    AfterValidator(_names_or_all),
]
FileStem = Annotated[str, AfterValidator(_file_stem)]
ControlMode = Annotated[Literal["none", "poll", "explicit"], BeforeValidator(_lower)]

BatchSize = Annotated[
    int, Field(ge=1), WrapValidator(_auto_batch_size), PlainSerializer(_auto_or_number)
]
BatchingMode = Annotated[Literal["auto", "on", "off"], BeforeValidator(_lower)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
LogFormat = Annotated[Literal["auto", "json", "console"], BeforeValidator(_log_format)]
RequestLogFormat = Annotated[Literal["jsonl", "tfrecord"], BeforeValidator(_lower)]
VersionSwap = Annotated[
    Literal["availability_preserving", "resource_preserving"], BeforeValidator(_lower)
]
MixedPrecision = Literal["", "bfloat16"]
MetricsPath = Annotated[str, AfterValidator(_metrics_path)]
Workers = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(_workers)]
Tag = Annotated[str, Field(min_length=1)]
Tags = Annotated[tuple[Tag, ...], BeforeValidator(_list_to_tuple), AfterValidator(_distinct)]

Device = Annotated[str, AfterValidator(_device)]
Devices = Annotated[tuple[Device, ...], BeforeValidator(_list_to_tuple), AfterValidator(_distinct)]
Sizes = Annotated[tuple[Count, ...], BeforeValidator(_list_to_tuple), AfterValidator(_ascending)]
Axes = Annotated[
    tuple[Count, ...],
    BeforeValidator(_list_to_tuple),
    AfterValidator(_not_empty),
    AfterValidator(_ascending),
]
Alias = Annotated[str, Field(min_length=1)]
PadValue = Annotated[Any, AfterValidator(_scalar)]
AxisKey = Annotated[int, BeforeValidator(_axis_key), Field(ge=1)]
AxisReference = Annotated[str, AfterValidator(_check_axis_reference)]
