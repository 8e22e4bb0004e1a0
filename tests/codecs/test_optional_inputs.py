"""Inputs that the server fills in when a request leaves them out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Signature, TensorSpec
from gateway.codecs.predict_json import decode_inputs, parse_predict
from gateway.errors import ServingError

IDS = TensorSpec("ids", np.dtype(np.int32), "DT_INT32", (None, None))
MASK = TensorSpec("mask", np.dtype(np.int32), "DT_INT32", (None, None))
SIGNATURE = Signature("serving_default", {"ids": IDS, "mask": MASK}, {})


def _decode(body: dict[str, Any]) -> dict[str, Any]:
    arrays = decode_inputs(parse_predict(json.dumps(body).encode()), SIGNATURE, {"mask"})
    return {name: array.tolist() for name, array in arrays.items()}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"instances": [[1, 2]]}, {"ids": [[1, 2]]}),
        ({"instances": [{"ids": [1, 2]}]}, {"ids": [[1, 2]]}),
        ({"instances": [{"ids": [1], "mask": [1]}]}, {"ids": [[1]], "mask": [[1]]}),
        ({"inputs": [[1, 2]]}, {"ids": [[1, 2]]}),
        ({"inputs": {"ids": [[1]]}}, {"ids": [[1]]}),
        ({"inputs": {"ids": [[1]], "mask": [[0]]}}, {"ids": [[1]], "mask": [[0]]}),
    ],
)
def test_left_out_or_sent(body: dict[str, Any], expected: dict[str, Any]) -> None:
    assert _decode(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [{"ids": [1]}, {"ids": [1], "mask": [1]}]},
        {"instances": [{"mask": [1]}]},
        {"inputs": {"mask": [[1]]}},
        {"inputs": {"ids": [[1]], "other": [[1]]}},
        {"instances": []},
        {"instances": 3},
    ],
)
def test_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ServingError):
        _decode(body)
