"""Tensors as they lie in memory: little-endian, C order, one after the other without gaps.

Names, dtypes and shapes travel beside them (``docs/binary-predict.md``). Everything is checked
against the bytes that are there before an array is made.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote as percent_encode
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from gateway.backends.base import Signature, Tensors, TensorSpec
from gateway.codecs.json_text import quote
from gateway.errors import invalid_argument

DTYPE_NAMES: Mapping[str, str] = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
    "DT_BFLOAT16": "bfloat16",
    "DT_INT8": "int8",
    "DT_INT16": "int16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_UINT16": "uint16",
    "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
    "DT_BOOL": "bool",
    "DT_COMPLEX64": "complex64",
    "DT_COMPLEX128": "complex128",
}
"""TensorFlow's names of the dtypes whose values all have one size."""

MAX_RANK = 64
"""numpy's limit."""
MAX_SIZE = 10**18
_SIZES = re.compile(r"[0-9]{1,18}(?:,[0-9]{1,18})*", re.ASCII)


class TensorHead(NamedTuple):
    """What is said of one tensor."""

    name: str
    """Empty for the only one of a request that does not name it."""
    dtype: str
    """One of ``DTYPE_NAMES``'s values; not checked yet."""
    shape: tuple[int, ...]


def parse_heads(names: str | None, dtypes: str, shapes: str) -> list[TensorHead]:
    """The tensors of a request in the order of their bytes.

    ``names`` (percent-encoded) and ``dtypes`` are separated by commas, ``shapes`` by semicolons and
    their sizes by commas; an empty shape is a scalar's. Without names there is one tensor. Raises
    ServingError (INVALID_ARGUMENT).
    """
    listed = [dtype.strip() for dtype in dtypes.split(",")]
    sizes = [_parse_shape(shape) for shape in shapes.split(";")]
    named = [""] if names is None else [unquote(name.strip()) for name in names.split(",")]
    if not len(named) == len(listed) == len(sizes):
        raise invalid_argument(
            f"the tensors' headers disagree: {len(named)} names, {len(listed)} dtypes and"
            f" {len(sizes)} shapes"
        )
    if len(set(named)) != len(named):
        raise invalid_argument(f"a tensor is named twice: {quote(named)}")
    return [TensorHead(*head) for head in zip(named, listed, sizes, strict=True)]


def decode(
    heads: Sequence[TensorHead],
    body: bytes,
    signature: Signature,
    optional: Collection[str] = (),
) -> dict[str, NDArray[Any]]:
    """The arrays by alias, in native byte order. They are views of ``body`` wherever a value lies
    at a multiple of its size, and cannot be written to.

    Declared shapes are not enforced (TF Serving). Raises ServingError (INVALID_ARGUMENT) naming the
    input: unknown, missing, of another dtype, strings, more or fewer bytes than the shapes take.
    """
    arrays: dict[str, NDArray[Any]] = {}
    offset = 0
    for name, spec, head in _matched(heads, signature.inputs, optional):
        arrays[name] = read_tensor(head._replace(name=name), spec, body, offset)
        offset += arrays[name].nbytes
    if offset != len(body):
        raise invalid_argument(
            f"the body has {len(body)} bytes, but its tensors take {offset}"
            f" (inputs: {quote(list(arrays))})"
        )
    return arrays


def read_tensor(head: TensorHead, spec: TensorSpec, body: bytes, offset: int) -> NDArray[Any]:
    """The tensor that begins at ``offset``, as for ``decode``. More bytes may follow it."""
    _check_size(head.name, spec, head, len(body) - offset)
    return _view(head.name, body, offset, spec, head.shape)


def encode(outputs: Tensors, signature: Signature) -> tuple[list[TensorHead], bytes]:
    """The outputs in the signature's order: what to say of them, and their bytes.

    Raises ServingError (INVALID_ARGUMENT) naming an output that has no binary form.
    """
    check_outputs(signature)
    heads: list[TensorHead] = []
    pieces: list[bytes] = []
    for alias, spec in signature.outputs.items():
        if alias in outputs:
            array = outputs[alias]
            heads.append(TensorHead(alias, DTYPE_NAMES[spec.type_name], array.shape))
            pieces.append(_little_endian(array.astype(spec.dtype, copy=False)).tobytes())
    return heads, pieces[0] if len(pieces) == 1 else b"".join(pieces)


def check_outputs(signature: Signature) -> None:
    """Raise ServingError (INVALID_ARGUMENT) if an output has no binary form."""
    for alias, spec in signature.outputs.items():
        if spec.type_name not in DTYPE_NAMES:
            raise invalid_argument(f'output "{alias}" {_no_binary_form(spec)}: ask for JSON')


def format_heads(heads: Sequence[TensorHead]) -> tuple[str, str, str]:
    """Names, dtypes and shapes as ``parse_heads`` reads them."""
    return (
        ",".join(percent_encode(head.name, safe="/:") for head in heads),
        ",".join(head.dtype for head in heads),
        ";".join(",".join(map(str, head.shape)) for head in heads),
    )


def _parse_shape(text: str) -> tuple[int, ...]:
    text = text.replace(" ", "")
    if not text:
        return ()
    if not _SIZES.fullmatch(text):
        raise invalid_argument(
            f"a shape must be sizes separated by commas, shapes by semicolons; got {quote(text)}"
        )
    shape = tuple(map(int, text.split(",")))
    if len(shape) > MAX_RANK:
        raise invalid_argument(f"a shape has {len(shape)} sizes; at most {MAX_RANK} are possible")
    return shape


def _matched(
    heads: Sequence[TensorHead], specs: Mapping[str, TensorSpec], optional: Collection[str]
) -> list[tuple[str, TensorSpec, TensorHead]]:
    """Heads with their inputs."""
    required = [alias for alias in specs if alias not in optional]
    names = [head.name for head in heads]
    if names == [""] and len(required) == 1:
        names = required
    expected = f"(expected: {','.join(specs)}; got: {quote(names)})"
    for alias in required:
        if alias not in names:
            raise invalid_argument(f'input "{alias}" is missing {expected}')
    for name in names:
        if name not in specs:
            raise invalid_argument(f"there is no input {quote(name)} {expected}")
    return [(name, specs[name], head) for name, head in zip(names, heads, strict=True)]


def _check_size(name: str, spec: TensorSpec, head: TensorHead, left: int) -> None:
    """Refuse what takes more than ``left`` bytes. Python's integers: no shape overflows."""
    wanted = DTYPE_NAMES.get(spec.type_name)
    if wanted is None:
        raise invalid_argument(f'input "{name}" {_no_binary_form(spec)}: send JSON')
    if head.dtype != wanted:
        raise invalid_argument(f'input "{name}" must be {wanted}, got {quote(head.dtype)}')
    size = math.prod(head.shape) * spec.dtype.itemsize
    if size > left:
        raise invalid_argument(
            f'input "{name}": {wanted} of shape {list(head.shape)} takes {size} bytes,'
            f" but {left} are left"
        )


def _view(
    name: str, body: bytes, offset: int, spec: TensorSpec, shape: tuple[int, ...]
) -> NDArray[Any]:
    is_bool = spec.dtype.kind == "b"
    try:
        array = np.ndarray(shape, np.uint8 if is_bool else spec.dtype, body, offset)
    except ValueError:
        # Nothing of it is there, as one size is 0; the others are beyond what numpy can count.
        raise invalid_argument(f'input "{name}": the shape {list(shape)} is too large') from None
    if is_bool:
        if array.size and array.max() > 1:
            raise invalid_argument(f'input "{name}" must be bool: bytes that are 0 or 1')
        return array.view(np.bool_)
    array = _little_endian(array)
    return array if array.flags.aligned else array.copy()


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    """From little-endian to native or back."""
    return array if sys.byteorder == "little" else array.byteswap()


def _no_binary_form(spec: TensorSpec) -> str:
    kind = "strings" if spec.is_string else spec.type_name.removeprefix("DT_").lower()
    return f"is {kind}, which has no binary form"
