"""Requests: invented to fit a signature, or read from a file; and their JSON form."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.correctness.reference import Arrays, Refused, SignatureOf, Tensor

Accepts = Callable[[Arrays], Any]
"""Runs inputs on the reference; raises Refused."""

_LENGTHS = (8, 64, 1024)
_INTEGER_BOUNDS = (1000, 100, 20, 8, 2)
_WORDS = ("the", "quick", "brown", "fox", "jumps", "über")
_TEXTS = ((_WORDS, 12), (("0", "1", "2.5", "-40"), 1), (("",), 1))
"""Words, and how many of them at most make a text: prose, numbers, empty tf.Examples."""
_ROWS = (1, 1, 1, 2, 3)
_SAMPLES = 3


class BadFile(Exception):
    """A file of requests that are none for the model."""


@dataclass(frozen=True, slots=True)
class Taste:
    """What a model's inputs are invented from."""

    length: int
    """Free sizes, but for the rows, are from this to five times this."""
    integers_below: int
    words: Sequence[str]
    most_words: int
    positive: bool
    """Floats from 0 to 1; else of both signs."""
    scalars: bool
    """What an input of unknown rank gets: a scalar, else a value a row."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request."""

    signature: SignatureOf
    inputs: Arrays
    row_form: bool

    def body(self) -> bytes:
        """The predict request's JSON."""
        columns = {alias: to_json(value) for alias, value in self.inputs.items()}
        document: dict[str, Any] = {"signature_name": self.signature.name}
        if self.row_form:
            rows = zip(*columns.values(), strict=True)
            document["instances"] = [dict(zip(columns, row, strict=True)) for row in rows]
        else:
            document["inputs"] = columns
        return json.dumps(document).encode()


def invent(
    signature: SignatureOf, count: int, accepts: Accepts, random: np.random.Generator
) -> list[Question]:
    """``count`` requests of different lengths and rows, random in what the model accepts.

    Empty when nothing that was tried is accepted.
    """
    for taste in _tastes(signature):
        try:
            for _ in range(_SAMPLES):
                accepts(_inputs(signature, taste, random))
        except Refused:
            continue
        number = count if signature.inputs else min(count, 4)
        return [_question(signature, _inputs(signature, taste, random), i) for i in range(number)]
    return []


def read_questions(file: Path, signatures: dict[str, SignatureOf]) -> list[Question]:
    """Requests from a JSON list of ``{"signature_name": S?, "inputs": {ALIAS: value}}``. Raises
    BadFile."""
    questions = []
    for number, entry in enumerate(json.loads(file.read_text())):
        try:
            questions.append(_read(entry, signatures, number))
        except (KeyError, TypeError, ValueError) as error:
            raise BadFile(f"{file}: entry {number} does not fit the model: {error!r}") from error
    return questions


def _read(entry: Any, signatures: dict[str, SignatureOf], number: int) -> Question:
    signature = signatures[entry.get("signature_name", "serving_default")]
    inputs = {
        alias: from_json(entry["inputs"][alias], tensor)
        for alias, tensor in signature.inputs.items()
    }
    return _question(signature, inputs, number)


def to_json(array: NDArray[Any]) -> Any:
    """Nested lists; bytes as text where they are UTF-8, else as base64."""
    if array.dtype.kind != "O":
        return array.tolist()
    values = np.empty(array.size, object)
    values[:] = [_text(value) for value in array.reshape(-1).tolist()]
    return values.reshape(array.shape).tolist()


def from_json(value: Any, tensor: Tensor) -> NDArray[Any]:
    """The array that JSON stands for, text and base64 as bytes."""
    if tensor.dtype.kind != "O":
        return np.array(value, tensor.dtype)
    array = np.array(value, object)
    for index in np.ndindex(array.shape):
        array[index] = _bytes(array[index])
    return array


def _text(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _bytes(value: Any) -> bytes:
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else str(value).encode()


def _question(signature: SignatureOf, inputs: Arrays, number: int) -> Question:
    """Every second one is in row form where the signature allows it."""
    rows = {value.shape[:1] for value in inputs.values()}
    tensors = [*signature.inputs.values(), *signature.outputs.values()]
    fits = len(rows) == 1 and () not in rows and all(t.has_free_rows for t in tensors)
    return Question(signature, inputs, row_form=fits and number % 2 == 1)


def _tastes(signature: SignatureOf) -> Iterator[Taste]:
    tensors = signature.inputs.values()
    free = any(None in (tensor.shape or ())[1:] for tensor in tensors)
    kinds = {tensor.dtype.kind for tensor in tensors}
    choices = itertools.product(
        _LENGTHS if free else _LENGTHS[:1],
        _INTEGER_BOUNDS if kinds & {"i", "u"} else _INTEGER_BOUNDS[:1],
        _TEXTS if "O" in kinds else _TEXTS[:1],
        (False, True) if "f" in kinds else (False,),
        (False, True) if any(tensor.shape is None for tensor in tensors) else (False,),
    )
    for length, bound, (words, most), positive, scalars in choices:
        yield Taste(length, bound, words, most, positive, scalars)


def _inputs(signature: SignatureOf, taste: Taste, random: np.random.Generator) -> Arrays:
    rows = int(random.choice(_ROWS))
    length = int(random.integers(taste.length, 5 * taste.length))
    return {
        alias: _values(tensor, _shape(tensor, rows, length, taste), taste, random)
        for alias, tensor in signature.inputs.items()
    }


def _shape(tensor: Tensor, rows: int, length: int, taste: Taste) -> tuple[int, ...]:
    if tensor.shape is None:
        return () if taste.scalars else (rows,)
    return tuple(
        (length if axis else rows) if size is None else size
        for axis, size in enumerate(tensor.shape)
    )


def _values(
    tensor: Tensor, shape: tuple[int, ...], taste: Taste, random: np.random.Generator
) -> NDArray[Any]:
    match tensor.dtype.kind:
        case "f":
            values = random.random(shape) if taste.positive else random.normal(size=shape)
            return np.asarray(values, tensor.dtype)
        case "b":
            return np.asarray(random.integers(0, 2, shape), tensor.dtype)
        case "i" | "u":
            below = min(taste.integers_below, np.iinfo(tensor.dtype).max)
            return np.asarray(random.integers(0, below, shape), tensor.dtype)
        case _:
            texts = np.empty(shape, object)
            for index in np.ndindex(shape):
                words = random.choice(taste.words, random.integers(1, taste.most_words + 1))
                texts[index] = " ".join(words).encode()
            return texts
