"""Answers of classify and regress."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from gateway.codecs.results_json import encode_classifications, encode_regressions
from gateway.errors import Code, ServingError

LABELS = np.array([[b"car", b"bike"], ["a\xe9".encode(), b"\xff"]], object)
SCORES = np.array([[0.2, 0.7], [1, 1e-9]], np.float32)


def test_labels_and_scores() -> None:
    body = encode_classifications({"scores": SCORES, "classes": LABELS}, 2)
    assert body == (
        '{"results":[[["car",0.2],["bike",0.7]],[["a\xe9",1.0],[{"b64":"/w=="},1e-9]]]}'.encode()
    )


def test_labels_alone_score_0() -> None:
    assert encode_classifications({"classes": LABELS[:1]}, 1) == (
        b'{"results":[[["car",0.0],["bike",0.0]]]}'
    )


def test_scores_alone_have_no_label() -> None:
    assert encode_classifications({"scores": SCORES[:, 1:], "other": SCORES}, 2) == (
        b'{"results":[[["",0.7]],[["",1e-9]]]}'
    )


def test_no_classes_at_all() -> None:
    assert encode_classifications({"scores": np.zeros((2, 0), np.float32)}, 2) == (
        b'{"results":[[],[]]}'
    )


def test_scores_that_are_not_finite() -> None:
    scores = np.array([[math.nan, math.inf, -math.inf]], np.float32)
    assert encode_classifications({"scores": scores}, 1) == (
        b'{"results":[[["",NaN],["",Infinity],["",-Infinity]]]}'
    )


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_regressions(shape: tuple[int, ...]) -> None:
    values = np.array([0.2, 9, math.inf], np.float32).reshape(shape)
    assert encode_regressions({"outputs": values}, 3) == b'{"results":[0.2,9.0,Infinity]}'


def test_outputs_in_any_memory_layout() -> None:
    columns = np.asfortranarray(SCORES)
    assert json.loads(encode_classifications({"scores": columns}, 2)) == json.loads(
        encode_classifications({"scores": SCORES}, 2)
    )
    assert encode_regressions({"outputs": columns[:, 0]}, 2) == b'{"results":[0.2,1.0]}'


@pytest.mark.parametrize(
    ("outputs", "phrase"),
    [
        (
            {"classes": LABELS[0]},
            'Expected Tensor shape: [batch_size num_classes] but got [2] (output "classes")',
        ),
        ({"scores": SCORES[None]}, "[batch_size num_classes] but got [1,2,2]"),
        ({"scores": SCORES[:1]}, "Expected scores output batch size of 2. Got: 1"),
        ({"classes": LABELS[:1]}, "Expected classes output batch size of 2. Got: 1"),
        (
            {"classes": LABELS[:, :1], "scores": SCORES},
            "Tensors class and score should match in dim_size(1). Got 1 vs. 2",
        ),
    ],
)
def test_classifications_of_a_wrong_shape(outputs: Any, phrase: str) -> None:
    with pytest.raises(ServingError) as caught:
        encode_classifications(outputs, 2)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert phrase in caught.value.message


@pytest.mark.parametrize(
    ("shape", "phrase"),
    [
        ((), "[batch_size] or [batch_size, 1] but got []"),
        ((2, 2), "Expected output Tensor shape to be either [batch_size] or [batch_size, 1]"),
        ((2, 1, 1), "but got [2,1,1]"),
        ((3,), "Input batch size did not match output batch size: 2 vs. 3"),
    ],
)
def test_regressions_of_a_wrong_shape(shape: tuple[int, ...], phrase: str) -> None:
    with pytest.raises(ServingError) as caught:
        encode_regressions({"outputs": np.zeros(shape, np.float32)}, 2)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert phrase in caught.value.message
