"""Answers as arrays, and how far they are from the right ones."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.correctness.questions import Question, from_json
from benchmarks.correctness.reference import Arrays

TOLERANCE = 2e-4
"""Largest difference of two floats that is put down to other kernels for other shapes, as a share
of the output's greatest magnitude. Integers, booleans and strings must be equal."""


def read_answer(question: Question, body: bytes) -> Arrays:
    """Outputs by alias. Raises ValueError or KeyError when it is no answer to the question."""
    document = json.loads(body)
    outputs = question.signature.outputs
    value = document["predictions" if question.row_form else "outputs"]
    if len(outputs) == 1:
        return {alias: from_json(value, tensor) for alias, tensor in outputs.items()}
    if question.row_form:
        value = {alias: [row[alias] for row in value] for alias in outputs}
    return {alias: from_json(value[alias], tensor) for alias, tensor in outputs.items()}


def difference(received: Arrays, expected: Arrays) -> float:
    """The greatest of all outputs, as a share of the output's magnitude; inf where something that
    must be equal is not."""
    if received.keys() != expected.keys():
        return math.inf
    return max((_distance(received[alias], expected[alias]) for alias in expected), default=0.0)


def _distance(received: NDArray[Any], expected: NDArray[Any]) -> float:
    # A list without elements does not tell its inner sizes.
    if received.shape != expected.shape and (received.size or expected.size):
        return math.inf
    if expected.dtype.kind != "f":
        return 0.0 if np.array_equal(received, expected) else math.inf
    if not np.array_equal(np.isfinite(received), np.isfinite(expected)):
        return math.inf
    finite = np.isfinite(expected)
    if not np.array_equal(received[~finite], expected[~finite], equal_nan=True):
        return math.inf
    one, other = received[finite].astype(float), expected[finite].astype(float)
    scale = max(float(np.abs(other).max(initial=0)), 1e-6)
    return float(np.abs(one - other).max(initial=0)) / scale
