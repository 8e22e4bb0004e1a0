"""However a client's bytes are cut, the answers are the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.fake_backend import FakeSignature
from tests.hot.fronts import Front, front
from tests.hot.requests import BODY, GET, Answer, chunked, post

BOTH = pytest.mark.parametrize("hot_path", [True, False], ids=["hot", "aiohttp"])
REQUESTS = {
    "plain": post(BODY, b"Content-Type: application/json"),
    "wrong": post(b'{"instances":["text"]}'),
    "no JSON": post(b"{"),
    "empty": post(b""),
    "timing": post(BODY, b"Server-Timing: 1"),
    "status": GET,
    "chunks": chunked(BODY[:7], BODY[7:]),
    "identity": post(BODY, b"Content-Encoding: identity"),
}
REUSED = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
async def hot(tmp_path: Path) -> AsyncIterator[Front]:
    async with front(tmp_path, {"m": FakeSignature()}) as made:
        yield made


async def answer_of(served: Front, data: bytes) -> Answer:
    wire = served.connect()
    wire.send(data)
    answer = await wire.answer()
    wire.leave()
    return answer


@BOTH
@pytest.mark.parametrize("name", ["plain", "wrong", "status"])
async def test_torn_at_every_boundary(tmp_path: Path, hot_path: bool, name: str) -> None:
    data = REQUESTS[name]
    async with front(tmp_path, {"m": FakeSignature()}, hot_path=hot_path) as served:
        whole = await answer_of(served, data)
        wire = served.connect()
        for boundary in range(1, len(data)):
            wire.send(data[:boundary], data[boundary:])
            assert await wire.answer() == whole
        wire.leave()


@BOTH
async def test_byte_by_byte(tmp_path: Path, hot_path: bool) -> None:
    data = REQUESTS["plain"]
    async with front(tmp_path, {"m": FakeSignature()}, hot_path=hot_path) as served:
        wire = served.connect()
        wire.send(*(data[at : at + 1] for at in range(len(data))))
        assert await wire.answer() == await answer_of(served, data)
        wire.leave()


async def test_torn_requests_stay_hot(hot: Front) -> None:
    data = REQUESTS["plain"]
    wire = hot.connect()
    for boundary in range(1, len(data)):
        wire.send(data[:boundary], data[boundary:])
        await wire.answer()
    assert hot.aiohttp_requests == 0


@REUSED
@given(data=st.data())
async def test_streams_cut_at_random(hot: Front, data: st.DataObject) -> None:
    """Any mix of requests: those that are not plain hand the connection over, at any place."""
    names = data.draw(st.lists(st.sampled_from(sorted(REQUESTS)), min_size=1, max_size=8))
    stream = b"".join(REQUESTS[name] for name in names)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=12)))
    segments = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    expected = [await answer_of(hot, REQUESTS[name]) for name in names]
    wire = hot.connect()
    wire.send(*segments)
    assert await wire.answers(len(names)) == expected
    assert not wire.closed
    wire.leave()
    assert hot.in_flight == 0


@REUSED
@given(data=st.data())
async def test_broken_streams_end_well(hot: Front, data: st.DataObject) -> None:
    """Whatever is cut out or put in, the server answers or waits, and keeps nothing."""
    stream = bytearray(REQUESTS["plain"] * 3)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    wire = hot.connect()
    wire.send(bytes(stream))
    wire.send(b"\r\n\r\n")
    wire.leave()
    await hot.until_idle()
    assert (await answer_of(hot, REQUESTS["plain"])).code == 200
    assert hot.waiting_rows() == 0
