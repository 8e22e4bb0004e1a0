"""Which heads are plain. That the others are answered as aiohttp does is tested beside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.hot.head import END, START, HeadReader, may_be_plain, read_head
from gateway.http.paths import ModelPath
from tests.hot.corpus import MALFORMED, OTHERS, PLAIN
from tests.hot.requests import BODY, post

LIMIT = 64 * 1024 * 1024


def head_of(data: bytes) -> bytes:
    return data[: data.find(END) + len(END)]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_ones(name: str) -> None:
    head = head_of(PLAIN[name])
    found = read_head(head, LIMIT)
    assert found is not None
    assert found.body_bytes == len(PLAIN[name]) - len(head)


@pytest.mark.parametrize(
    "name", [*OTHERS, *(name for name in MALFORMED if name != "data behind the last")]
)
def test_all_others(name: str) -> None:
    assert read_head(head_of({**OTHERS, **MALFORMED}[name]), LIMIT) is None


def test_what_is_read() -> None:
    path = b"/v1/models/%6d/labels/stable:predict"
    found = read_head(head_of(post(BODY, b"connection: close", b"SERVER-TIMING: 1", path=path)), 19)
    assert found is not None
    assert found.path == ModelPath("predict", "m", None, "stable")
    assert (found.body_bytes, found.keep_alive, found.wants_timing) == (19, False, True)


def test_bodies_beyond_the_limit() -> None:
    head = head_of(post(BODY))
    assert read_head(head, len(BODY)) is not None
    assert read_head(head, len(BODY) - 1) is None


@given(st.binary(max_size=12), st.integers(0, 400), st.integers(0, 4))
def test_one_change_makes_it_another_request_or_none(new: bytes, at: int, cut: int) -> None:
    """What is taken is plain in every byte and says what its bytes say."""
    data = bytearray(head_of(post(BODY, b"Accept: */*")))
    at = min(at, len(data) - len(END))
    data[at : at + cut] = new
    head = head_of(bytes(data))
    found = read_head(head, LIMIT)
    if found is not None:
        lines = head.split(b"\r\n")
        assert lines[0].startswith(START)
        assert lines[0].endswith(b":predict HTTP/1.1")
        lengths = [line for line in lines if line.lower().startswith(b"content-length:")]
        assert [int(line.partition(b":")[2]) for line in lengths] == [found.body_bytes]
        assert sum(line.lower().startswith(b"host:") for line in lines) == 1
        assert all(0x20 <= byte < 0x7F for line in lines for byte in line)


@given(st.integers(0, 200))
def test_the_beginning_of_a_plain_head_may_become_one(length: int) -> None:
    assert may_be_plain(head_of(post(BODY, b"Accept: */*"))[:length])


@pytest.mark.parametrize(
    "beginning",
    [b"G", b"POST /v2", b"\r\n", START + b"m\n", START + b"\xff", START + b"m:predict\r\n"],
)
def test_a_beginning_that_cannot_become_one(beginning: bytes) -> None:
    assert not may_be_plain(beginning)


def test_a_head_without_end() -> None:
    assert not may_be_plain(START + b"m" * 10_000)


def test_what_was_read_is_known() -> None:
    reader = HeadReader(LIMIT)
    head = head_of(post())
    assert reader.read(head) is reader.read(bytes(bytearray(head)))
    others = [reader.read(head_of(post(BODY, b"X: %d" % number))) for number in range(3000)]
    assert all(others)
    assert len(reader._known) <= 1024
    assert reader.read(head) == read_head(head, LIMIT)
