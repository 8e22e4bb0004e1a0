"""Signatures without a model, and the two reading steps in one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from gateway.backends.base import Signature, TensorSpec
from gateway.codecs.predict_json import decode_inputs, parse_predict
from gateway.errors import Code, ServingError

PROPERTY = settings(deadline=None, derandomize=True)
"""Property tests search the same examples everywhere, however slow the machine."""

DTYPES = {
    "DT_FLOAT": np.float32,
    "DT_DOUBLE": np.float64,
    "DT_INT8": np.int8,
    "DT_UINT8": np.uint8,
    "DT_INT16": np.int16,
    "DT_INT32": np.int32,
    "DT_UINT32": np.uint32,
    "DT_INT64": np.int64,
    "DT_UINT64": np.uint64,
    "DT_BOOL": np.bool_,
    "DT_STRING": np.object_,
}
UNSUPPORTED = {
    "DT_HALF": np.float16,
    "DT_UINT16": np.uint16,
    "DT_COMPLEX64": np.complex64,
    "DT_BFLOAT16": np.dtype("V2"),
    "DT_QINT8": np.dtype([("qint8", "i1")]),
}


def spec(name: str, type_name: str) -> TensorSpec:
    return TensorSpec(name, np.dtype((DTYPES | UNSUPPORTED)[type_name]), type_name, shape=None)


def specs(**types: str) -> dict[str, TensorSpec]:
    return {name: spec(name, f"DT_{label.upper()}") for name, label in types.items()}


def signature(
    inputs: dict[str, TensorSpec] | None = None, outputs: dict[str, TensorSpec] | None = None
) -> Signature:
    return Signature("serving_default", inputs or {}, outputs or {})


def decode(request: Any, **types: str) -> dict[str, NDArray[Any]]:
    """The arrays of a request, given as JSON text or as what becomes JSON text."""
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    return decode_inputs(parse_predict(body), signature(specs(**types)))


def refusal(request: Any, code: Code = Code.INVALID_ARGUMENT, **types: str) -> str:
    """The message with which a request is refused."""
    with pytest.raises(ServingError) as caught:
        decode(request, **types)
    assert caught.value.code is code
    return caught.value.message


def assert_array(array: NDArray[Any], expected: Any, dtype: Any) -> None:
    """Equal in dtype, shape and every bit; contiguous."""
    wanted = np.array(expected, dtype=dtype)
    assert array.dtype == wanted.dtype
    assert array.shape == wanted.shape
    assert array.flags.c_contiguous
    if wanted.dtype.kind == "O":
        assert array.tolist() == wanted.tolist()
    else:
        assert array.tobytes() == wanted.tobytes()
