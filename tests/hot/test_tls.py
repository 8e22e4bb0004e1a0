"""The hot path above TLS."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import trustme

from gateway.http.listener import Listener
from tests.gateway.certificates import Files
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import PATIENCE_SECONDS
from tests.hot.fronts import Front, front
from tests.hot.requests import ANSWER, GET, LAST, post, split_answers


async def talk(port: int, context: ssl.SSLContext, *segments: bytes) -> list[bytes]:
    """The bodies of the answers, until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        for segment in segments:
            writer.write(segment)
            await writer.drain()
        async with asyncio.timeout(PATIENCE_SECONDS):
            received = await reader.read()
    finally:
        writer.close()
    answers, rest = split_answers(received)
    assert rest == b""
    return [answer.body for answer in answers]


async def test_plain_requests_then_others(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with front(tmp_path / "models", {"m": FakeSignature()}) as hot:
        tls = await asyncio.to_thread(Files(tmp_path, authority).tls)
        listener = Listener(hot.server, "127.0.0.1", 0, tls.context)
        port = await listener.start()
        try:
            await check(hot, port, context)
        finally:
            await listener.close()


async def check(hot: Front, port: int, context: ssl.SSLContext) -> None:
    plain = post()
    closes = post(b'{"instances":[1,2]}', b"Connection: close")
    assert await talk(port, context, plain, plain[:70], plain[70:], closes) == [ANSWER] * 3
    assert hot.aiohttp_requests == 0
    bodies = await talk(port, context, plain + GET + plain, LAST)
    assert bodies[::2] == [ANSWER, ANSWER]
    assert b"model_version_status" in bodies[1]
    assert hot.aiohttp_requests == 3
    assert hot.in_flight == 0
