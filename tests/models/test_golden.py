"""The check before a version takes traffic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Tensors
from gateway.errors import Code, ServingError, invalid_argument
from gateway.models.golden import check_golden_answers
from tests.gateway.fake_backend import FakeSignature, Function, Outputs, by_name, double, spec


def check(file: Path, function: Function = double, **others: FakeSignature) -> int:
    fakes = {"serving_default": FakeSignature(function), **others}
    signatures = {name: fake.describe(name) for name, fake in fakes.items()}
    runs = {name: fake.runner("cpu:0") for name, fake in fakes.items()}
    return check_golden_answers(file, signatures, runs)


def entry(request: Any = None, response: Any = None, **more: Any) -> dict[str, Any]:
    request = {"instances": [1.0, 2.0]} if request is None else request
    response = {"predictions": [2.0, 4.0]} if response is None else response
    return {"request": request, "response": response, **more}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "golden.jsonl"


def write(file: Path, *entries: Any) -> Path:
    file.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in entries), "utf-8")
    return file


def refusal(file: Path, function: Function = double, **others: FakeSignature) -> str:
    with pytest.raises(ServingError) as caught:
        check(file, function, **others)
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert str(file.parent) not in caught.value.message
    prefix, _, reason = caught.value.message.partition("golden answers: ")
    assert prefix == ""
    return reason


def test_right_answers(file: Path) -> None:
    column = entry({"inputs": [3.0]}, {"outputs": [6.0]})
    assert check(write(file, entry(), column)) == 2


def test_every_request_is_run(file: Path) -> None:
    fake = FakeSignature()
    named = entry({"signature_name": "other", "instances": [1.0]}, {"predictions": [2.0]})
    check(write(file, named, named, named), other=fake)
    assert fake.sizes == [1, 1, 1]


def test_blank_lines_and_carriage_returns(file: Path) -> None:
    line = json.dumps(entry())
    file.write_bytes(f"\n{line}\r\n\r\n  \n{line}".encode())
    assert check(file) == 2


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\u2029"])
def test_a_line_ends_at_a_newline_only(file: Path, character: str) -> None:
    text = by_name(spec("x", object)), by_name(spec("y", object))
    echo = FakeSignature(lambda inputs: {"y": inputs["x"]}, *text)
    request = {"signature_name": "echo", "instances": [f"a{character}b"]}
    response = {"predictions": [f"a{character}b"]}
    assert check(write(file, entry(request, response)), echo=echo) == 1


def test_the_first_wrong_answer_is_named(file: Path) -> None:
    wrong = entry(response={"predictions": [2.0, 4.1]})
    reason = refusal(write(file, entry(), wrong, entry(response={})))
    assert reason == "line 2: predictions[1] is 4.0, not 4.1"


def test_tolerance(file: Path) -> None:
    near = {"predictions": [2.0, 4.001]}
    assert "predictions[1]" in refusal(write(file, entry(response=near)))
    assert check(write(file, entry(response=near, tolerance=1e-2))) == 1
    assert "predictions[1]" in refusal(write(file, entry(response=near, tolerance=0)))


def test_a_version_whose_numbers_are_gone_is_refused(file: Path) -> None:
    def broken(inputs: Tensors) -> Outputs:
        return {"y": inputs["x"] * np.float32("nan")}

    assert "predictions[0]" in refusal(write(file, entry()), broken)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (entry({"signature_name": "none", "instances": [1]}), "line 1: there is no signature"),
        (entry({"instances": ["a"]}), "line 1: "),
        (entry({"instances": [-1.0]}), "line 1: x must not be negative"),
        (entry({}), "line 1: Missing 'inputs' or 'instances' key"),
        (entry([1]), "line 1: "),
        (entry(response=[]), "line 1: the answer has another form"),
        ({"request": {"instances": [1]}}, 'line 1 is no {"request": ..., "response": ...}'),
        ({"response": {}}, "line 1 is no"),
        ([], "line 1 is no"),
        ("text", "line 1 is no"),
        (entry(tolerance="much"), "line 1 is no"),
        (entry(tolerance=None), "line 1 is no"),
    ],
)
def test_what_is_refused(file: Path, answer: Any, reason: str) -> None:
    assert refusal(write(file, answer)).startswith(reason)


def test_a_model_that_fails_is_refused(file: Path) -> None:
    def failing(inputs: Tensors) -> Outputs:
        raise invalid_argument("the table is not initialised")

    assert refusal(write(file, entry()), failing) == "line 1: the table is not initialised"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file holds no request"),
        (b"\n\n", "the file holds no request"),
        (b"{", "line 1 is no"),
        (b"\xff\xfe", "the file cannot be read: it is not UTF-8 text"),
        (b"[" * 100_000, "line 1 is no"),
    ],
)
def test_broken_files(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)
    assert refusal(file).startswith(reason)


def test_a_check_that_was_asked_for_is_never_left_out(file: Path) -> None:
    assert refusal(file) == "the file cannot be read: No such file or directory"
    file.mkdir()
    assert refusal(file) == "the file cannot be read: Is a directory"
