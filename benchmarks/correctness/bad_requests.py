"""Requests that must be refused: by the decoder, or by the model in the middle of a batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.correctness.questions import Question
from benchmarks.correctness.reference import Arrays, Reference, Refused

Spoil = Callable[[dict[str, Any]], dict[str, Any]]

_OUT_OF_RANGE = 1_000_000
_POISONS: dict[str, Any] = {"i": _OUT_OF_RANGE, "u": _OUT_OF_RANGE, "f": -1e6, "O": b"\xff"}
"""Values of the right dtype, by kind, that a model may refuse when it runs."""


def bad_bodies(question: Question) -> list[bytes]:
    """Bodies like the question's that no server may accept."""
    good = question.body()
    document = json.loads(good)
    spoilt = [json.dumps(spoil(json.loads(good))).encode() for spoil in (_rename, _mistype)]
    return [
        good[: len(good) // 2],
        json.dumps({**document, "signature_name": "x"}).encode(),
        *spoilt,
    ]


def poisoned_body(question: Question, reference: Reference) -> bytes | None:
    """A body that decodes and joins a batch like the question, and that the model refuses; None
    when no value is found that it refuses."""
    poisoned: Arrays = {}
    for alias, value in question.inputs.items():
        changed = value.copy()
        changed.flat[:1] = np.asarray(_POISONS.get(value.dtype.kind, 1)).astype(value.dtype)
        poisoned[alias] = changed
    try:
        reference.run(question.signature, poisoned)
    except Refused:
        return Question(question.signature, poisoned, question.row_form).body()
    return None


def _rename(document: dict[str, Any]) -> dict[str, Any]:
    """An input gets another name."""
    for columns in document.get("instances") or [document["inputs"]]:
        columns["no such input"] = columns.pop(next(iter(columns)))
    return document


def _mistype(document: dict[str, Any]) -> dict[str, Any]:
    """A number where a text belongs, or the other way round."""
    columns = document["instances"][0] if "instances" in document else document["inputs"]
    alias = next(iter(columns))
    columns[alias] = _with_first_leaf_mistyped(columns[alias])
    return document


def _with_first_leaf_mistyped(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_first_leaf_mistyped(value[0]), *value[1:]]
    return 7 if isinstance(value, str | dict) else "seven"
