"""The layers benchmark end to end with tiny counts; its cases answer what they should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.layers_worker import LAYERS, cases
from gateway.codecs.predict_json import decode_inputs, encode_outputs, parse_predict
from tests.benchmarks.helpers import run_module


def test_it_runs(tmp_path: Path) -> None:
    report = tmp_path / "layers.json"
    checkout = Path(__file__).parents[2]
    done = run_module(
        "benchmarks.layers",
        *("--rows=2", "--rounds=2", "--milliseconds=1", f"--against={checkout}"),
        f"--json={report}",
    )
    assert done.returncode == 0, done.stderr
    assert "other / this" in done.stdout
    written = json.loads(report.read_text())["results"][0]
    for rounds in (written["this"], written["other"]):
        assert len(rounds) == 2
        for times in rounds:
            assert times.keys() == cases(2).keys()
            assert all(tuple(layers) == LAYERS for layers in times.values())


@pytest.mark.parametrize("name", list(cases(1)))
def test_cases_are_requests_that_the_gateway_answers(name: str) -> None:
    case = cases(3)[name]
    body = parse_predict(case.body)
    inputs = decode_inputs(body, case.signature)
    assert {len(array) for array in inputs.values()} == {1}
    answer = json.loads(encode_outputs(case.outputs, case.signature, body.form))
    assert len(answer["predictions"]) == 3
