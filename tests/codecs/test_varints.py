"""Variable-length integers against protocol buffers' own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf.wrappers_pb2 import UInt64Value
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs import varints
from gateway.codecs.varints import (
    count_varints,
    pack_varints,
    read_varints,
    unpack_varints,
    varint,
)
from gateway.protos.tensors import Int64List, TensorProto

INT64 = st.integers(-(2**63), 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)


def wire(field: str, data: bytes) -> bytes:
    """A packed field of a TensorProto."""
    number = TensorProto.DESCRIPTOR.fields_by_name[field].number
    return varint(number << 3 | 2) + varint(len(data)) + data


@given(st.lists(INT64 | st.integers(-3, 300)))
def test_signed(numbers: list[int]) -> None:
    packed = pack_varints(np.array(numbers, np.int64))
    read = TensorProto.FromString(wire("int64_val", packed))
    assert list(read.int64_val) == numbers
    assert (Int64List(value=numbers).SerializeToString() or b"\x0a\x00")[1:].endswith(packed)


@given(st.lists(UINT64))
def test_unsigned(numbers: list[int]) -> None:
    packed = pack_varints(np.array(numbers, np.uint64))
    assert list(TensorProto.FromString(wire("uint64_val", packed)).uint64_val) == numbers
    assert read_varints(packed + b"rest", len(numbers)) == (numbers, len(packed))


@pytest.mark.parametrize(
    ("values", "packed"),
    [
        (np.array([True, False]), b"\x01\x00"),
        (np.array([-1], np.int8), b"\xff" * 9 + b"\x01"),
        (np.array([255, 128, 127], np.uint8), b"\xff\x01\x80\x01\x7f"),
        (np.array([0, 300], np.uint16), b"\x00\xac\x02"),
        (np.array([], np.int32), b""),
    ],
)
def test_narrow_numbers(values: Any, packed: bytes) -> None:
    assert pack_varints(values) == packed


def test_chunks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.array([0, 1, 200, -5, 70000, 0, 0, 1 << 62])
    whole = pack_varints(numbers)
    monkeypatch.setattr(varints, "_CHUNK", 3)
    assert pack_varints(numbers) == whole


@given(UINT64)
def test_one_number(number: int) -> None:
    assert UInt64Value.FromString(b"\x08" + varint(number)).value == number


@pytest.mark.parametrize(
    ("data", "count", "reason"),
    [
        (b"", 1, "0 numbers instead of 1"),
        (b"\x01\x80", 2, "1 numbers instead of 2"),
        (b"\xff" * 11, 1, "wider than 64 bits"),
    ],
)
def test_broken_numbers(data: bytes, count: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_varints(data, count)


def test_no_numbers_take_no_bytes() -> None:
    assert read_varints(b"rest", 0) == ([], 0)


@given(st.lists(INT64 | st.integers(-3, 300)))
def test_unpacked_signed(numbers: list[int]) -> None:
    packed = b"".join(varint(number % 2**64) for number in numbers)
    assert count_varints(packed) == len(numbers)
    assert unpack_varints(packed, np.dtype(np.int64)).tolist() == numbers


@given(st.lists(INT64))
def test_unpacked_numbers_are_cut_to_the_dtype(numbers: list[int]) -> None:
    packed = b"".join(varint(number % 2**64) for number in numbers)
    small = unpack_varints(packed, np.dtype(np.int16))
    assert small.tolist() == np.array(numbers, np.int64).astype(np.int16).tolist()
    booleans = unpack_varints(packed, np.dtype(np.bool_))
    assert booleans.tolist() == [number != 0 for number in numbers]


@pytest.mark.parametrize("chunk", [10, 11, 37])
def test_numbers_across_chunks(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(varints, "_CHUNK", chunk)
    numbers = [2**shift - 1 for shift in range(64)] * 3
    packed = b"".join(map(varint, numbers))
    assert unpack_varints(packed, np.dtype(np.uint64)).tolist() == numbers


@pytest.mark.parametrize(
    ("data", "phrase"),
    [
        (b"\x80", "cut off"),
        (b"\x01\xff\xff", "cut off"),
        (b"\xff" * 10 + b"\x01", "wider than 64 bits"),
        (b"\xff" * 100, "wider than 64 bits"),
    ],
)
def test_broken_packed_numbers(data: bytes, phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        unpack_varints(data, np.dtype(np.int64))


@given(st.binary(max_size=40))
def test_any_bytes_are_numbers_or_refused(data: bytes) -> None:
    try:
        found = unpack_varints(data, np.dtype(np.uint64))
    except ValueError:
        return
    assert len(found) == count_varints(data)
