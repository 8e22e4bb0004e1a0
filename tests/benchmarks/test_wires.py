"""Every peer gets the same questions in its own form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.wires import (
    PREDICTIONS,
    Wire,
    batchable,
    inference_protocol,
    instances,
    raw_tensors,
)
from benchmarks.zoo.catalogue import MODELS, Exported, Question

ROW, ANSWER = [[0.5, 1.5], [2.5, 3.5]], [0.25, 0.75]
SQUARES = Exported(MODELS["cnn"], Path("/none"), (Question(ROW, ANSWER),))
NUMBERS = Exported(MODELS["half_plus_two"], Path("/none"), (Question(1.0, 2.5),))


@pytest.mark.parametrize(
    ("wire", "body", "answer"),
    [
        (instances("/x"), {"instances": [ROW]}, {"predictions": [ANSWER]}),
        (batchable("/x"), {"instances": [ROW]}, [ANSWER]),
        (
            inference_protocol("/x"),
            {
                "id": "1",
                "inputs": [
                    {
                        "name": "image",
                        "datatype": "FP32",
                        "shape": [1, 2, 2],
                        "data": [0.5, 1.5, 2.5, 3.5],
                    }
                ],
            },
            {"id": "1", "outputs": [{"name": "scores", "shape": [1, 2], "data": ANSWER}]},
        ),
    ],
)
def test_bodies_and_answers(wire: Wire, body: object, answer: object) -> None:
    (sample,) = wire.requests(SQUARES).samples
    assert json.loads(sample.body) == body
    assert sample.expected == ANSWER
    assert wire.read(json.dumps(answer).encode()) == ANSWER


def test_a_scalar_row_has_no_axis_beyond_the_batch() -> None:
    wire = inference_protocol("/x")
    (tensor,) = json.loads(wire.requests(NUMBERS).samples[0].body)["inputs"]
    assert (tensor["shape"], tensor["data"]) == ([1], [1.0])
    answer = {"outputs": [{"shape": [1], "data": [2.5]}]}
    assert wire.read(json.dumps(answer).encode()) == 2.5


def test_the_path_names_the_model() -> None:
    assert PREDICTIONS.requests(SQUARES).path == "/v1/models/cnn:predict"


def test_raw_tensors() -> None:
    requests = raw_tensors(SQUARES)
    (sample,) = requests.samples
    assert sample.body == np.array([ROW], "<f4").tobytes()
    assert dict(sample.headers)["X-Tensor-Shape"] == "1,2,2"
    assert requests.read(np.array(ANSWER, "<f4").tobytes()) == ANSWER


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"predictions": []}', b'{"predictions": 1}'])
def test_what_is_no_answer_raises_what_the_check_catches(body: bytes) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        PREDICTIONS.read(body)
