"""Tensors on the wire and back, raw and typed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from gateway.grpc.oip_contents import typed_array
from gateway.oip.binary import tensor_bytes
from gateway.oip.datatypes import DATATYPES
from gateway.protos.triton.grpc_service_pb2 import InferTensorContents
from tests.oip_grpc.tensors import FIELDS, Array, message_of, read_array, same, tensors


@given(tensors())
def test_raw_contents_come_back(tensor: tuple[str, Array]) -> None:
    datatype, array = tensor
    raw = tensor_bytes(array, DATATYPES[datatype])

    assert same(read_array(message_of(datatype, array.shape, raw=raw)), array)


@given(tensors(tuple(FIELDS)))
def test_typed_contents_come_back(tensor: tuple[str, Array]) -> None:
    datatype, array = tensor
    values = array.reshape(-1).tolist()

    found = read_array(message_of(datatype, array.shape, **{FIELDS[datatype]: values}))

    if datatype in ("FP32", "FP64"):
        # Python's float has no place for the payload of every NaN.
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array, strict=True)
    else:
        assert same(found, array)


@pytest.mark.parametrize("datatype", FIELDS)
def test_many_typed_values_come_back(datatype: str) -> None:
    count = 1000
    if datatype == "BYTES":
        array = np.array([str(i).encode() for i in range(count)], object)
    else:
        array = (np.arange(count) % 100).astype(DATATYPES[datatype].dtype)
    contents = InferTensorContents(**{FIELDS[datatype]: array.tolist()})

    found = typed_array(contents, DATATYPES[datatype], (10, 100), "x")

    assert same(found, array.reshape(10, 100))


def test_unknown_fields_do_not_disturb_typed_values() -> None:
    contents = InferTensorContents(fp32_contents=[1.5] * 100)
    contents.MergeFromString(b"\x7a\x03abc")

    found = typed_array(contents, DATATYPES["FP32"], (100,), "x")

    assert found.tolist() == [1.5] * 100
