"""The load generator's HTTP client, byte by byte."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loadgen.connection import MAX_HEAD_BYTES, Connection
from tests.benchmarks.helpers import http_answer


class RecordingTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        pass


class Client:
    """A connection with a request in flight, and what it told its owner."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.losses: list[str] = []
        self.transport = RecordingTransport()
        self.connection = Connection(
            lambda _, status, body: self.answers.append((status, body)),
            lambda _, reason: self.losses.append(reason),
        )
        self.connection.connection_made(self.transport)
        self.connection.send(b"request")


@given(
    body=st.binary(max_size=60),
    name=st.sampled_from(["Content-Length", "content-length", "CONTENT-LENGTH"]),
    cuts=st.lists(st.integers(min_value=0, max_value=150)),
)
def test_answers_are_whole_however_they_are_cut(body: bytes, name: str, cuts: list[int]) -> None:
    client = Client()
    head = f"HTTP/1.1 404 Not Found\r\nA: b\r\n{name}:  {len(body)}\r\nC: d\r\n\r\n"
    answer = head.encode() + body
    edges = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    for start, stop in itertools.pairwise(edges):
        assert client.answers == [] or start == len(answer)
        if start < stop:
            client.connection.data_received(answer[start:stop])
    assert client.answers == [(404, body)]
    assert client.losses == []
    assert not client.connection.in_flight


def test_a_connection_is_used_again() -> None:
    client = Client()
    client.connection.data_received(http_answer(b"1"))
    client.connection.send(b" again")
    assert client.connection.in_flight
    client.connection.data_received(http_answer(b"2", "503 Full"))
    assert client.answers == [(200, b"1"), (503, b"2")]
    assert client.transport.written == b"request again"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (http_answer(b"1") + b"H", "more bytes than one answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "without Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "without Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "without Content-Length"),
        (b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n", "no HTTP/1.1 status line"),
        (b"SSH-2.0-x\r\nContent-Length: 0\r\n\r\n", "no HTTP/1.1 status line"),
        (b"x" * (MAX_HEAD_BYTES + 1), "an endless head"),
    ],
)
def test_what_is_no_answer_costs_the_connection(data: bytes, reason: str) -> None:
    client = Client()
    client.connection.data_received(data)
    assert client.answers == []
    assert client.transport.aborted
    (told,) = client.losses
    assert reason in told
    # Its request is still counted as in flight: the owner takes it back with the loss.
    assert client.connection.in_flight


def test_bytes_without_a_request_cost_the_connection() -> None:
    client = Client()
    client.connection.data_received(http_answer(b"1"))
    client.connection.data_received(http_answer(b"2"))
    assert client.answers == [(200, b"1")]
    assert client.losses == ["more bytes than one answer"]


def test_a_loss_is_told_once_and_not_after_close() -> None:
    client = Client()
    client.connection.connection_lost(None)
    client.connection.connection_lost(OSError("gone"))
    assert client.losses == ["connection closed by the server"]
    closed = Client()
    closed.connection.close()
    closed.connection.connection_lost(None)
    assert closed.losses == []
