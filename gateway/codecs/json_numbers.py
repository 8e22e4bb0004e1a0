"""The text of one nested list of numbers to an array, without a Python list for each inner list.

Structure and numbers are read apart. What is left of the text without its numbers must be the
brackets and commas of one regular shape: that refuses whatever is ragged or no number. The numbers
are then read flat, by simdjson where it is installed and by orjson otherwise, with equal results.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from batching import aligned_empty
from gateway.backends.base import TensorSpec
from gateway.codecs.json_flat import CODES, fill
from gateway.codecs.overflow import overflow_allowed

simdjson: Any
try:
    simdjson = import_module("simdjson")
except ImportError:
    simdjson = None

_NOT_STRUCTURE = b"0123456789+-.eE \t\r\n"
_OPENING, _CLOSING = b"[]"
_COMMA = 44
"""White space has lower codes still."""
_CHUNK = 1 << 16
"""Characters to look at in one go: fits the cache, and takes no new memory each time."""
_SPACES_FOR_BRACKETS = bytes.maketrans(b"[]", b"  ")
LEAST_LISTED_BYTES = 16 * 1024
LONGEST_LISTED = 256
"""Characters of an innermost list. Without simdjson blocks pay only where there is a list for every
few numbers, as in images, and many of them."""
_DEEPEST = 32
_SMALL = {"DT_INT8", "DT_UINT8", "DT_INT16"}
"""Any int32 is taken for them; it wraps around (TF Serving, json_tensor)."""


class NumberBlock:
    """A list of numbers of a known shape that is valid JSON; no dtype yet."""

    __slots__ = ("_numbers", "shape")

    def __init__(self, shape: tuple[int, ...], numbers: _Numbers) -> None:
        self.shape = shape
        self._numbers = numbers

    def read(self, spec: TensorSpec) -> NDArray[Any] | None:
        """An array of ``spec.dtype``, C-contiguous and aligned to 64 bytes; None for a dtype that
        takes no numbers and where one of them does not fit."""
        if spec.type_name in _SMALL:
            wide = self._numbers.fill(np.empty(self.shape, np.int32), "i")
            return None if wide is None else _narrowed(wide, spec.dtype)
        code = CODES.get(spec.type_name)
        return self._numbers.fill(aligned_empty(self.shape, spec.dtype), code) if code else None


class _Numbers(Protocol):
    """The numbers of a block, parsed."""

    def fill(self, array: NDArray[Any], code: str) -> NDArray[Any] | None:
        """``array`` with the numbers in it, in C order; None where one does not fit its dtype."""


def read_block(text: bytes) -> NumberBlock | None:
    """The block that ``text`` is, from its opening to its closing bracket; None for what is
    irregular, empty, no number, or no JSON."""
    structure = text.translate(None, _NOT_STRUCTURE)
    shape = _shape(structure)
    if shape is None:
        return None
    numbers = (_ListedNumbers if simdjson is None else _SimdNumbers).parse(text, len(shape))
    return None if numbers is None else NumberBlock(shape, numbers)


def _narrowed(wide: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    array = aligned_empty(wide.shape, dtype)
    np.copyto(array, wide, "unsafe")
    return array


def _shape(structure: bytes) -> tuple[int, ...] | None:
    """The shape of which ``structure`` has the brackets and commas. The numbers of an empty list
    are missing later: it looks like a list of one."""
    depth = len(structure) - len(structure.lstrip(b"["))
    if not 0 < depth <= _DEEPEST:
        return None
    sizes: list[int] = []
    inner = b""
    for level in range(1, depth + 1):
        end = structure.find(b"]" * level)
        if end < 0:
            return None
        first = structure[depth - level : end + level]
        size = (len(first) - 1) // (len(inner) + 1)
        inner = b"[" + (inner + b",") * (size - 1) + inner + b"]"
        sizes.append(size)
    return tuple(reversed(sizes)) if structure == inner else None


class _SimdNumbers:
    """Numbers as simdjson has them: 64 bits each, with a sign, without, or as a float."""

    __slots__ = ("_list",)

    def __init__(self, numbers: Any) -> None:
        self._list = numbers

    @classmethod
    def parse(cls, text: bytes, _depth: int) -> _Numbers | None:
        try:
            # A parser of its own: one that is shared may not be used again while the numbers are.
            return cls(simdjson.Parser().parse(text))
        except (ValueError, RuntimeError):
            return None

    def fill(self, array: NDArray[Any], code: str) -> NDArray[Any] | None:
        kind = _SIMD_KINDS[code]
        try:
            values = np.frombuffer(self._list.as_buffer(of_type=kind), _SIMD_DTYPES[kind])
        except (TypeError, ValueError):
            return None
        if values.size != array.size:
            return None
        flat = array.reshape(-1)
        overflow_allowed.run(np.copyto, flat, values, "unsafe")
        if kind == "i" and flat.dtype != values.dtype and not np.array_equal(flat, values):
            return None
        return array


class _ListedNumbers:
    """Numbers as Python objects in one flat list."""

    __slots__ = ("_list",)

    def __init__(self, numbers: list[Any]) -> None:
        self._list = numbers

    @classmethod
    def parse(cls, text: bytes, depth: int) -> _Numbers | None:
        closing = text.find(b"]")
        longest = closing - text.rfind(b"[", 0, closing)
        if longest > LONGEST_LISTED or len(text) < LEAST_LISTED_BYTES:
            return None
        flat = _flattened(text, depth)
        if flat is None:
            return None
        try:
            return cls(orjson.loads(flat))
        except orjson.JSONDecodeError:
            return None

    def fill(self, array: NDArray[Any], code: str) -> NDArray[Any] | None:
        return fill(array, code, self._list)


def _flattened(text: bytes, depth: int) -> bytes | None:
    """The text of one flat list; None where a number may stand on the wrong side of a bracket:
    ``[[1,]2]`` has the structure of ``[[1,2]]``."""
    if depth == 1:
        return text
    pieces = [b"["]
    for start in range(0, len(text), _CHUNK):
        if _has_misplaced(np.frombuffer(text[start : start + _CHUNK + 1], np.uint8)):
            return None
        pieces.append(text[start : start + _CHUNK].translate(_SPACES_FOR_BRACKETS))
    return b"".join([*pieces, b"]"])


def _has_misplaced(characters: NDArray[np.uint8]) -> bool:
    """Whether a bracket opens before, or closes after, a comma, white space or its counterpart."""
    before, after = characters[:-1], characters[1:]
    misplaced = (before == _OPENING) & ((after <= _COMMA) | (after == _CLOSING))
    misplaced |= (after == _CLOSING) & ((before <= _COMMA) | (before == _OPENING))
    return bool(misplaced.any())


_SIMD_KINDS: Mapping[str, str] = {"f": "d", "d": "d", "i": "i", "I": "i", "q": "i", "Q": "u"}
_SIMD_DTYPES: Mapping[str, type[Any]] = {"d": np.float64, "i": np.int64, "u": np.uint64}
