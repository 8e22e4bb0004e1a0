"""Golden answers: known requests whose answers a version must give before it takes traffic.

A file of JSON lines: ``{"request": BODY, "response": ANSWER, "tolerance": 1e-4}``, where BODY and
ANSWER are those of REST predict and the tolerance may be left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.backends.base import RunFunction, Signature
from gateway.codecs.predict_json import decode_inputs, encode_outputs, parse_predict
from gateway.errors import Code, ServingError
from gateway.models.comparison import json_difference

DEFAULT_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class GoldenAnswer:
    """One request and what must come back."""

    line: int
    request: bytes
    response: Any
    tolerance: float


def check_golden_answers(
    file: Path, signatures: Mapping[str, Signature], run: Mapping[str, RunFunction]
) -> int:
    """Ask every request of ``file``; how many there were. Blocks.

    Raises ServingError (FAILED_PRECONDITION) for the first answer that is not as it should be, and
    when the file is missing, empty or broken: a check that was asked for is never left out.
    """
    count = 0
    for answer in _read(file):
        count += 1
        if problem := _problem(answer, signatures, run):
            raise _failed(f"line {answer.line}: {problem}")
    if not count:
        raise _failed("the file holds no request")
    return count


def _problem(
    answer: GoldenAnswer, signatures: Mapping[str, Signature], run: Mapping[str, RunFunction]
) -> str:
    try:
        body = parse_predict(answer.request)
        signature = signatures.get(body.signature_name)
        if signature is None:
            return f"there is no signature {body.signature_name!r}"
        outputs = run[signature.name](decode_inputs(body, signature))
        got = json.loads(encode_outputs(outputs, signature, body.form))
    except ServingError as error:
        return error.message
    return json_difference(answer.response, got, answer.tolerance)


def _read(file: Path) -> Iterator[GoldenAnswer]:
    try:
        # Not splitlines, which also breaks at characters that JSON strings may hold.
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise _failed(f"the file cannot be read: {reason}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _parsed(number, line)


def _parsed(number: int, line: str) -> GoldenAnswer:
    try:
        entry = json.loads(line)
        request, response = json.dumps(entry["request"]).encode(), entry["response"]
        tolerance = float(entry.get("tolerance", DEFAULT_TOLERANCE))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _failed(f'line {number} is no {{"request": ..., "response": ...}}') from error
    return GoldenAnswer(number, request, response, tolerance)


def _failed(reason: str) -> ServingError:
    return ServingError(Code.FAILED_PRECONDITION, f"golden answers: {reason}")
