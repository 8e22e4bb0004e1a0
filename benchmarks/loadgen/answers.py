"""Whether an answer is right."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.loadgen.target import JSON_HEADERS

Read = Callable[[bytes], Any]
"""An answer's body to the value that counts. Raises ValueError, LookupError or TypeError when it
has none."""

DEMO_BODIES = 16
RELATIVE_TOLERANCE = 1e-4
"""A row's float32 values differ in the last digits between batches of different sizes."""
ABSOLUTE_TOLERANCE = 1e-5
_SHOWN_BYTES = 120


@dataclass(frozen=True, slots=True)
class Sample:
    """A request's body and, where it is known beforehand, the value of the answer."""

    body: bytes
    expected: Any = None
    headers: tuple[tuple[str, str], ...] = JSON_HEADERS


def demo_samples() -> list[Sample]:
    """One-instance requests to the demo model (y = x / 2 + 2), each with an answer of its own, so
    that an answer to somebody else's request is a wrong one."""
    numbers = [1.0 + number for number in range(DEMO_BODIES)]
    return [
        Sample(json.dumps({"instances": [x]}).encode(), {"predictions": [x / 2 + 2]})
        for x in numbers
    ]


class AnswerCheck:
    """Judges answers to samples.

    The bytes of an answer that was found right are remembered: every later answer of the same
    bytes is right. Of those with other bytes each ``every``-th is compared by value. A sample
    without an expected value takes the first whole answer as its value. ``read`` gets the value
    out of a body.
    """

    def __init__(
        self, samples: Sequence[Sample], *, every: int = 1, read: Read = json.loads
    ) -> None:
        self._read = read
        self._expected = [sample.expected for sample in samples]
        self._right: list[bytes | None] = [None] * len(samples)
        self._every = every
        self._others = 0

    def fault(self, sample: int, status: int, body: bytes) -> str | None:
        """What is wrong with an answer to ``sample`` (its index); None when nothing is."""
        if status != 200:
            return f"status {status}: {_shown(body)}"
        if body == self._right[sample]:
            return None
        if self._right[sample] is not None:
            self._others += 1
            if self._others % self._every:
                return None
        return self._compare(sample, body)

    def _compare(self, sample: int, body: bytes) -> str | None:
        try:
            value = self._read(body)
        except (ValueError, LookupError, TypeError):
            return f"not what was asked for: {_shown(body)}"
        expected = self._expected[sample]
        if expected is None:
            if not is_predict_answer(value):
                return f"no predict answer: {_shown(body)}"
            self._expected[sample] = value
        elif not equal_values(value, expected):
            return f"wrong: {_shown(body)}, expected {_shown(json.dumps(expected).encode())}"
        self._right[sample] = body
        return None


def is_predict_answer(value: Any) -> bool:
    """An object with predictions in rows or outputs in columns (TF Serving's two forms)."""
    return isinstance(value, dict) and len(value.keys() & {"predictions", "outputs"}) == 1


def equal_values(value: Any, expected: Any) -> bool:
    """Equal JSON values: integers exactly, floats to within the tolerances, NaN equal to NaN."""
    if isinstance(expected, dict):
        same_keys = isinstance(value, dict) and value.keys() == expected.keys()
        return same_keys and all(equal_values(value[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        same_length = isinstance(value, list) and len(value) == len(expected)
        return same_length and all(map(equal_values, value, expected))
    if {type(value), type(expected)} in ({float}, {float, int}):
        return _close(value, expected)
    return type(value) is type(expected) and bool(value == expected)


def _close(value: float, expected: float) -> bool:
    return (math.isnan(value) and math.isnan(expected)) or math.isclose(
        value, expected, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE
    )


def _shown(body: bytes) -> str:
    text = body[:_SHOWN_BYTES].decode(errors="replace")
    return text + "..." if len(body) > _SHOWN_BYTES else text
