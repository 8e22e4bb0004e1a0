"""TFRecord files against TensorFlow's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code, ServingError
from gateway.tfrecord import frame, read_records

RECORDS = [b"first", b"", b"\x00" * 1000]


def data_loss(path: Path) -> str:
    with pytest.raises(ServingError) as caught:
        list(read_records(path))
    assert caught.value.code is Code.DATA_LOSS
    return caught.value.message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records"


def test_an_empty_file_has_no_records(path: Path) -> None:
    path.touch()
    assert list(read_records(path)) == []


@given(st.lists(st.binary(max_size=300)))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, records: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "round trip"
    path.write_bytes(b"".join(map(frame, records)))
    assert list(read_records(path)) == records


@pytest.mark.parametrize("position", range(12 + 5 + 4))
def test_every_changed_byte_is_noticed(path: Path, position: int) -> None:
    first, second = frame(b"fine"), bytearray(frame(b"12345"))
    second[position] ^= 1
    path.write_bytes(first + second)
    records = read_records(path)
    assert next(records) == b"fine"
    with pytest.raises(ServingError, match=f"^corrupted record at {len(first)}$") as caught:
        next(records)
    assert caught.value.code is Code.DATA_LOSS


@pytest.mark.parametrize("kept", range(1, 12 + 5 + 4))
def test_a_file_that_is_cut_off(path: Path, kept: int) -> None:
    first = frame(b"fine")
    path.write_bytes(first + frame(b"12345")[:kept])
    assert data_loss(path) == f"truncated record at {len(first)}"


def test_a_length_that_no_file_has(path: Path) -> None:
    huge = b"\xff" * 7 + b"\x7f"
    checksum_of_it = frame(huge)[-4:]
    path.write_bytes(huge + checksum_of_it + b"data")
    assert data_loss(path) == "truncated record at 0"


def test_text_is_no_record_file(path: Path) -> None:
    path.write_text("this is no TFRecord file")
    assert data_loss(path) == "corrupted record at 0"


@pytest.mark.parametrize(("name", "code"), [("none", Code.NOT_FOUND), ("", Code.UNKNOWN)])
def test_what_cannot_be_read(tmp_path: Path, name: str, code: Code) -> None:
    with pytest.raises(ServingError, match=r"^the records cannot be read: ") as caught:
        list(read_records(tmp_path / name))
    assert caught.value.code is code
    assert str(tmp_path) not in caught.value.message


@pytest.mark.tf
def test_tensorflow_writes_the_same_file(path: Path) -> None:
    from gateway.backends.tensorflow import import_tensorflow

    with import_tensorflow().io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    assert path.read_bytes() == b"".join(map(frame, RECORDS))
    assert list(read_records(path)) == RECORDS
