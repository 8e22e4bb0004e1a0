"""scripts/verify-models and scripts/soak: they pass on right answers and notice wrong ones."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.correctness import soak, verify_models
from benchmarks.correctness.answers import difference, read_answer
from benchmarks.correctness.bad_requests import bad_bodies
from benchmarks.correctness.crowd import Tally
from benchmarks.correctness.plan import Plan
from benchmarks.correctness.questions import Question, to_json
from benchmarks.correctness.reference import SignatureOf, Tensor
from benchmarks.correctness.repository import ModelFolder, find_models, settings_of
from benchmarks.correctness.serving import Answer
from benchmarks.correctness.verify_models import Row
from gateway.codecs.predict_json import parse_predict
from tests import saved_models
from tests.gateway.conftest import Repository

FLOAT = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reference changes it for its own TensorFlow."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", os.environ.copy())
        yield


def question(row_form: bool) -> Question:
    inputs = {"t": Tensor("t:0", np.dtype(object), (None,)), "x": Tensor("x:0", FLOAT, (None, 2))}
    outputs = {"y": Tensor("y:0", FLOAT, (None,))}
    values = {"t": np.array([b"a", b"\xff"], object), "x": np.zeros((2, 2), np.float32)}
    return Question(SignatureOf("m", "s", inputs, outputs), values, row_form)


def test_questions_in_both_forms() -> None:
    text: list[Any] = ["a", {"b64": "/w=="}]
    assert json.loads(question(row_form=False).body()) == {
        "signature_name": "s",
        "inputs": {"t": text, "x": [[0, 0], [0, 0]]},
    }
    rows = [{"t": value, "x": [0, 0]} for value in text]
    assert json.loads(question(row_form=True).body())["instances"] == rows


@pytest.mark.parametrize("row_form", [False, True])
def test_bad_bodies_are_all_bad(row_form: bool) -> None:
    good = question(row_form)
    bodies = bad_bodies(good)
    assert len({*bodies, good.body()}) == 5
    for body in bodies[1:]:
        assert parse_predict(body)  # as JSON they are in order


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ([1.0, 100.0], [1.0, 100.0], 0, 0),
        ([1.0, 100.0], [1.001, 100.0], 1e-6, 1e-4),
        ([1.0], [1.1], 0.05, 0.2),
        ([1.0], [1.0, 1.0], math.inf, math.inf),
        ([math.nan, math.inf, -1.0], [math.nan, math.inf, -1.0], 0, 0),
        ([math.inf], [-math.inf], math.inf, math.inf),
        ([math.nan], [0.0], math.inf, math.inf),
        ([1], [2], math.inf, math.inf),
        ([b"a"], [b"b"], math.inf, math.inf),
    ],
)
def test_how_far_answers_are_apart(one: Any, other: Any, least: float, most: float) -> None:
    def array(values: Any) -> Any:
        return np.array(values, object if isinstance(values[0], bytes) else None)

    assert least <= difference({"y": array(one)}, {"y": array(other)}) <= most


def judged(status: int, body: bytes, expected: list[float] | None) -> Row:
    plan = Plan(ModelFolder("m", 1, Path()), [question(row_form=False)])
    plan.expected = [None if expected is None else {"y": np.array(expected, np.float32)}]
    row = Row("m", "s")
    row.judge(plan, 0, Answer(status, body, 0.0), "alone")
    return row


def test_the_judge() -> None:
    right, wrong = b'{"outputs": [1.0, 2.0]}', b'{"outputs": [1.0, 2.1]}'
    assert not judged(200, right, [1, 2]).failed
    assert judged(200, wrong, [1, 2]).mistakes == ["m s #0, alone: differs by 5.00e-02"]
    assert judged(500, b"{}", [1, 2]).failed
    assert judged(200, right, None).failed
    assert not judged(400, b"{}", None).failed


def test_answers_are_read_by_their_form() -> None:
    assert read_answer(question(row_form=True), b'{"predictions": [NaN]}').keys() == {"y"}
    assert to_json(np.array(b"a", object)) == "a"


def test_soak_reports_failures(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.report({"m": Tally(requests=3, rows=6, runs=2)}, 1.0) == 0
    for tally in (Tally(3, wrong=1), Tally(3, lost=1), Tally(3, bad=2, bad_refused=1), Tally()):
        assert soak.report({"m": tally}, 1.0) == 1
    printed = capsys.readouterr().out
    assert "3 requests in 1 s (3/s), mean batch 3.0, 0 wrong, 0 lost" in printed
    assert "mean batch 0.0, 1 wrong, 0 lost" in printed


def test_models_of_a_folder(tmp_path: Path) -> None:
    for name in ("a/1", "a/00000012", "a/99", "_packages/1", "b/text"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "a/99/saved_model.pb").rename(tmp_path / "a/99/model.onnx")
    assert list(find_models(tmp_path)) == [ModelFolder("a", 12, tmp_path / "a/00000012")]
    assert not list(find_models(tmp_path, ["b"]))


def test_settings_of_other_models_are_left_out() -> None:
    toml = 'x = 1\n[models.a]\ny = 2\n[models."b c".padding.z]\ny = 3\n[other]\ny = 4\n'
    a, b = ModelFolder("a", 1, Path()), ModelFolder("b c", 1, Path())
    assert settings_of([a], toml) == "x = 1\n[models.a]\ny = 2\n[other]\ny = 4\n"
    assert settings_of([a, b], toml) == toml


@pytest.mark.tf
def test_verify_real_models(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    root = repository(
        half=saved_models.half_plus_two,
        mixed=saved_models.mixes_rows,
        counter=saved_models.counter,
        lengths=saved_models.variable_length,
    )
    (root / "damaged" / "1").mkdir(parents=True)
    (root / "damaged" / "1" / "saved_model.pb").write_text("no model")
    assert verify_models.main([str(root), "--requests=40"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "6 signatures, 0 with mismatches; tolerance 0.0002"
    verdicts = {line.split()[0]: line for line in lines}
    assert "skipped: TensorFlow does not load it" in verdicts["damaged"]
    assert "in order only (stateful)" in verdicts["counter"]
    assert 'not batched: mixed v1 serving_default: output "y"' in "\n".join(lines)


@pytest.mark.tf
def test_soak_the_demo_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--seconds=1", "--clients=16"]) == 0
    assert ", 0 wrong, 0 lost" in capsys.readouterr().out
