"""Bodies as they come: sizes, encodings, and what is wrong with them."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.fake_backend import FakeSignature
from tests.gateway.leaks import harmless_error
from tests.gateway.serving import PATIENCE_SECONDS, Client, serving_fakes

LIMIT = 100_000
BODY = b'{"instances":[1.0]}'
ANSWER = {"predictions": [2.0]}
TOO_LARGE = f"the body is larger than {LIMIT} bytes"
HEAD = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}, max_body_bytes=LIMIT) as client:
        yield client


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


def padded(size: int) -> bytes:
    return BODY + b" " * (size - len(BODY))


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_limit_is_exact(client: Client, chunked: bool) -> None:
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
        body = padded(size)
        data = pieces(body) if chunked else body
        answer = await client.ask("POST", "/v1/models/m:predict", data=data)
        assert answer.status == status
    assert harmless_error(answer) == TOO_LARGE


async def test_a_length_beyond_the_limit_is_refused_before_the_body(client: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(HEAD + b"Content-Length: 100001\r\n\r\n")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    finally:
        writer.close()


async def test_a_client_that_waits_for_100_continue(client: Client) -> None:
    # RFC 9110, section 10.1.1. curl does it from 1 MiB on and waits for a second.
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
    try:
        async with asyncio.timeout(3):
            assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert await reader.readline() == b"\r\n"
            writer.write(BODY)
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    finally:
        writer.close()


async def test_a_client_that_would_send_too_much_is_not_invited(client: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    finally:
        writer.close()


def deflate(body: bytes) -> bytes:
    return zlib.compress(body)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("name", "compress"), [("gzip", gzip.compress), ("deflate", deflate)])
async def test_compressed_bodies(client: Client, name: str, compress, chunked: bool) -> None:  # type: ignore[no-untyped-def]
    body = compress(padded(50_000))
    headers = {"Content-Encoding": name}
    data = pieces(body) if chunked else body
    answer = await client.ask("POST", "/v1/models/m:predict", data=data, headers=headers)
    assert (answer.status, answer.json) == (200, ANSWER)


BROKEN = {
    "no gzip": ("gzip", b"nonsense"),
    "gzip without its checksum": ("gzip", gzip.compress(padded(50_000))[:-8]),
    "half of a gzip": ("gzip", gzip.compress(padded(50_000))[:40]),
    "nothing": ("gzip", b""),
    "no deflate": ("deflate", b"nonsense"),
    "deflate without its checksum": ("deflate", deflate(padded(50_000))[:-4]),
}


@pytest.mark.parametrize(("encoding", "body"), BROKEN.values(), ids=BROKEN)
async def test_broken_compression(
    client: Client, encoding: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.predict("m", body, headers={"Content-Encoding": encoding})
    assert answer.status == 400
    harmless_error(answer)
    assert (await client.predict("m", BODY)).json == ANSWER
    # A client must not be able to fill the log.
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_bomb_stops_at_the_limit(client: Client) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < LIMIT
    answer = await client.predict("m", bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status, harmless_error(answer)) == (413, TOO_LARGE)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "unknown"])
async def test_unknown_encodings(
    client: Client, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.predict("m", BODY, headers={"Content-Encoding": encoding})
    assert answer.status == 400
    assert repr(encoding) in harmless_error(answer)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_body_that_is_no_chunks(client: Client) -> None:
    answer = await client.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "head",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/models/m HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["no request line", "no version", "a long header", "no length", "TLS"],
)
async def test_what_is_no_http(
    client: Client, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.raw(head)
    assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert b"Traceback" not in answer
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (await client.predict("m", BODY)).json == ANSWER


async def test_a_body_that_does_not_arrive_in_time(tmp_path: Path) -> None:
    contents = {"m": FakeSignature()}
    async with serving_fakes(tmp_path, contents, rest_api_timeout_in_ms=300) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(HEAD + b"Content-Length: 10\r\n\r\n{")
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await reader.readuntil(b"}")
        writer.close()
        assert answer.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
        assert b"did not arrive within 0.3 s" in answer
