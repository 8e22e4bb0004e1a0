"""Which requests aiohttp gets, and that it gets them whole and in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.http.hot.server import HotServer
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import until
from tests.hot.corpus import MALFORMED, OTHERS, PLAIN
from tests.hot.fronts import Front, front
from tests.hot.requests import ANSWER, BODY, GET, HOST, PREDICT, chunked, post, request


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


@pytest.fixture
async def hot(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[Front]:
    contents = {"m": fake, "broken": FakeSignature(lambda _: {}), "odd": FakeSignature()}
    async with front(tmp_path, contents, max_queue_rows=100_000) as made:
        yield made


@pytest.mark.parametrize("name", PLAIN)
async def test_plain_requests_do_without_it(hot: Front, name: str) -> None:
    wire = hot.connect()
    wire.send(PLAIN[name])
    await wire.answer()
    assert hot.aiohttp_requests == 0
    assert hot.in_flight == 0


@pytest.mark.parametrize("name", [*OTHERS, *MALFORMED])
async def test_all_others_are_its_own(hot: Front, name: str) -> None:
    wire = hot.connect()
    wire.send({**OTHERS, **MALFORMED}[name])
    await wire.answers(1)
    assert hot.aiohttp_requests == 1
    assert hot.in_flight == 0


@pytest.mark.parametrize("first", [b"\0", b"\x16\x03\x01", b"GET", b"post"])
async def test_what_cannot_become_plain_goes_at_once(hot: Front, first: bytes) -> None:
    """Not only once it is late."""
    assert isinstance(hot.server, HotServer)
    wire = hot.connect()
    wire.send(first)
    assert len(hot.server.fallback.connections) == 1
    wire.leave()


@pytest.mark.parametrize("other", [GET, chunked(BODY), post(BODY, b"Expect: nothing")])
@pytest.mark.parametrize("before", [0, 1, 3])
async def test_at_any_request_of_a_connection(hot: Front, before: int, other: bytes) -> None:
    wire = hot.connect()
    for _ in range(before):
        wire.send(post())
        assert (await wire.answer()).body == ANSWER
    wire.send(other)
    await wire.answer()
    assert hot.aiohttp_requests == 1
    wire.send(post())
    assert (await wire.answer()).body == ANSWER
    assert len(hot.server.connections) == 1
    wire.leave()
    await until(lambda: not hot.server.connections)


async def test_behind_requests_that_wait(hot: Front, fake: FakeSignature) -> None:
    """The connection is handed over only when everything before is answered."""
    fake.valve.shut()
    wire = hot.connect()
    wire.send(post() + post() + GET + post())
    await until(lambda: len(fake.batches) == 1)
    assert hot.aiohttp_requests == 0
    fake.valve.open()
    bodies = [answer.body for answer in await wire.answers(4)]
    assert bodies[:2] == [ANSWER, ANSWER]
    assert b"model_version_status" in bodies[2]
    assert bodies[3] == ANSWER
    assert hot.aiohttp_requests == 2


async def test_a_client_that_waits_to_be_told_to_continue(hot: Front) -> None:
    wire = hot.connect()
    length = b"Content-Length: %d" % len(BODY)
    line = b"POST %b HTTP/1.1" % PREDICT
    wire.send(request(line, HOST, length, b"Expect: 100-continue"))
    await until(lambda: wire.arrived == b"HTTP/1.1 100 Continue\r\n\r\n")
    wire.send(BODY)
    await until(lambda: wire.arrived.endswith(ANSWER))


async def test_a_body_larger_than_allowed(tmp_path: Path, fake: FakeSignature) -> None:
    async with front(tmp_path, {"m": fake}, max_body_bytes=100) as hot:
        wire = hot.connect()
        wire.send(post(BODY.ljust(100)))
        assert (await wire.answer()).body == ANSWER
        wire.send(post(BODY.ljust(101)))
        assert (await wire.answer()).code == 413


async def test_not_before_the_client_has_read(hot: Front, fake: FakeSignature) -> None:
    """aiohttp does not know that the client has stopped reading."""
    fake.valve.shut()
    wire = hot.connect()
    wire.send(post())
    await until(lambda: len(fake.batches) == 1)
    wire.stop_reading()
    wire.send(GET)
    fake.valve.open()
    assert (await wire.answer()).body == ANSWER
    assert hot.aiohttp_requests == 0
    wire.read_again()
    assert b"model_version_status" in (await wire.answer()).body


async def test_without_the_hot_path(tmp_path: Path, fake: FakeSignature) -> None:
    async with front(tmp_path, {"m": fake}, hot_path=False) as cold:
        assert type(cold.server).__module__.startswith("aiohttp.")
