"""Recorded requests, checked against a model and replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Signature, TensorSpec
from gateway.errors import Code
from gateway.models.warmup_records import Task, check_calls, read_warmup_calls, replay
from gateway.protos.tensors import Example
from tests.gateway.warmup_logs import (
    Runs,
    example,
    examples_log,
    multi_log,
    predict_log,
    refusal,
    write_logs,
)


def test_records_are_run_in_order(tmp_path: Path) -> None:
    folder = write_logs(
        tmp_path, [predict_log(x=[1], y=[[2]]), predict_log("other"), predict_log(x=[3])]
    )
    runs = Runs("serving_default", "other")
    assert replay(read_warmup_calls(folder), runs.by_signature, 1) == 3
    assert runs.seen == [
        ("serving_default", {"x": [1], "y": [[2]]}),
        ("other", {}),
        ("serving_default", {"x": [3]}),
    ]


@pytest.mark.parametrize(("iterations", "times"), [(0, 1), (1, 1), (3, 3)])
def test_each_record_is_repeated(tmp_path: Path, iterations: int, times: int) -> None:
    calls = read_warmup_calls(write_logs(tmp_path, [predict_log(x=[1]), predict_log(x=[2])]))
    runs = Runs("serving_default")
    assert replay(calls, runs.by_signature, iterations) == 2
    assert [values["x"] for _, values in runs.seen] == [[1]] * times + [[2]] * times


def test_examples(tmp_path: Path) -> None:
    logs = [examples_log("classify_log"), examples_log("regress_log", "r")]
    calls = read_warmup_calls(write_logs(tmp_path, [*logs, multi_log("classify", "regress")]))
    assert [(call.number, call.api, call.tasks) for call in calls] == [
        (1, "classify", (Task("classify", "serving_default"),)),
        (2, "regress", (Task("regress", "r"),)),
        (3, "multi_inference", (Task("classify", "s0"), Task("regress", "s1"))),
    ]
    runs = Runs("serving_default", "r", "s0", "s1")
    assert replay(calls, runs.by_signature, 1) == 3
    assert [name for name, _ in runs.seen] == ["serving_default", "r", "s0", "s1"]
    for _, values in runs.seen:
        assert list(map(Example.FromString, values["inputs"])) == [example(1), example(2)]


def test_a_failing_record_ends_the_replay(tmp_path: Path) -> None:
    logs = [predict_log(x=[1]), predict_log(x=[666]), predict_log(x=[3])]
    calls = read_warmup_calls(write_logs(tmp_path, logs))
    runs = Runs("serving_default")
    code, message = refusal(lambda: replay(calls, runs.by_signature, 1))
    assert code is Code.INVALID_ARGUMENT
    assert message == "warm-up record 2: cannot run this"
    assert len(runs.seen) == 1


def floats(name: str) -> dict[str, TensorSpec]:
    return {name: TensorSpec(name, np.dtype(np.float32), "DT_FLOAT", None)}


EXAMPLES = {"inputs": TensorSpec("inputs", np.dtype(object), "DT_STRING", (None,))}
SIGNATURES = {
    "serving_default": Signature(
        "serving_default",
        floats("x") | floats("y"),
        floats("z"),
        defaults={"y": np.zeros(1, np.float32)},
    ),
    "s0": Signature("s0", EXAMPLES, floats("scores")),
    "s1": Signature("s1", EXAMPLES, floats("outputs")),
}


def test_calls_that_fit_the_model(tmp_path: Path) -> None:
    logs = [
        predict_log(x=[1]),
        predict_log(x=[1], y=[2]),
        examples_log("classify_log", "s0"),
        examples_log("regress_log", "s1"),
        multi_log("classify", "regress"),
    ]
    check_calls(read_warmup_calls(write_logs(tmp_path, logs)), SIGNATURES)


@pytest.mark.parametrize(
    ("log", "code", "phrase"),
    [
        (
            predict_log("none"),
            Code.FAILED_PRECONDITION,
            'Serving signature key "none" not found.',
        ),
        (
            examples_log("classify_log", "none"),
            Code.INVALID_ARGUMENT,
            "No signature was found with the name: none",
        ),
        (
            multi_log("regress", signature_name="none"),
            Code.INVALID_ARGUMENT,
            "Requested signature not found in model graph: none",
        ),
    ],
)
def test_unknown_signatures(tmp_path: Path, log: Any, code: Code, phrase: str) -> None:
    calls = read_warmup_calls(write_logs(tmp_path, [log]))
    expected = (code, f"warm-up record 1: {phrase}")
    assert refusal(lambda: check_calls(calls, SIGNATURES)) == expected
    assert refusal(lambda: replay(calls, Runs("serving_default").by_signature, 1)) == expected


@pytest.mark.parametrize(
    ("log", "phrase"),
    [
        (
            predict_log(y=[1], w=[2], v=[3]),
            "inputs do not match signature serving_default."
            " Sent extra: {v,w}. Missing but required: {x}.",
        ),
        (examples_log("classify_log"), "Expected one input Tensor."),
        (examples_log("regress_log", "s0"), "No regression outputs found"),
        (multi_log("regress", "regress"), "No regression outputs found"),
    ],
)
def test_calls_that_do_not_fit_the_model(tmp_path: Path, log: Any, phrase: str) -> None:
    calls = read_warmup_calls(write_logs(tmp_path, [predict_log(x=[1]), log]))
    _, message = refusal(lambda: check_calls(calls, SIGNATURES))
    assert message.startswith(f"warm-up record 2: {phrase}")
