"""A front process from start to exit, as an ordered story."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import uvloop
from aiohttp import web

from gateway.front.context import FrontContext
from gateway.front.engine import Engine
from gateway.front.link import ENGINE_GONE
from gateway.front.relay import Relays
from gateway.front.request import FrontRequest
from gateway.front.settings import FrontSettings
from gateway.hop.sockets import http_path
from gateway.http.cors import allow_any_origin
from gateway.http.hot.answers import AnswerWriter
from gateway.http.hot.hold import Hold
from gateway.http.hot.server import HotServer
from gateway.http.listener import ABANDON_SECONDS, ConnectionServer, Listener
from gateway.http.tls import ServerTls, TlsError
from gateway.lifeline import Lifeline
from gateway.logs import configure

logger = logging.getLogger(__name__)

EXIT_OK, EXIT_CONFIG = 0, 3

LINK_SECONDS = 1.0
"""Clients wait so long, not to be refused, for a front that starts while there is an engine."""


def run(lifeline: Lifeline) -> NoReturn:
    """Serve until the supervisor says that it is enough, or is gone."""
    settings = FrontSettings.of_json(lifeline.start)
    flush_logs = configure(settings.log_level, settings.log_format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(_serve(settings, lifeline))
    finally:
        flush_logs()
    sys.stderr.flush()
    os._exit(code)


async def _serve(settings: FrontSettings, lifeline: Lifeline) -> int:
    try:
        tls = await asyncio.to_thread(_tls, settings)
    except TlsError as error:
        logger.error("no certificate", extra={"reason": str(error)})
        return EXIT_CONFIG
    front = Front(settings)
    listener = Listener(front.server, "", 0, tls.context if tls is not None else None)
    drain: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def order(message: dict[str, Any]) -> None:
        if "engine" in message:
            front.engine.move_to(message["engine"])
        elif "drain" in message and not drain.done():
            drain.set_result(message["drain"])

    if settings.engine:
        front.engine.move_to(settings.engine)
    lifeline.follow(order)
    if settings.engine and not await front.engine.until_linked(LINK_SECONDS):
        logger.warning("the engine does not take connections")
    await listener.start_on([socket.socket(fileno=number) for number in settings.sockets])
    following = asyncio.create_task(tls.follow()) if tls is not None else None
    gc.collect()
    gc.freeze()
    lifeline.tell({"listening": True})
    seconds = await drain
    if following is not None:
        following.cancel()
    await front.stop(listener, seconds)
    return EXIT_OK


def _tls(settings: FrontSettings) -> ServerTls | None:
    if not settings.ssl_certificate_file:
        return None
    return ServerTls(
        settings.ssl_certificate_file, settings.ssl_key_file, settings.ssl_client_ca_file
    )


class Front:
    """What serves the connections of one process. Make it on the running event loop."""

    def __init__(self, settings: FrontSettings) -> None:
        self.engine = engine = Engine(settings.timeout)
        answers = AnswerWriter(allow_any_origin if settings.cors else _add_nothing)
        self._codec = ThreadPoolExecutor(1, thread_name_prefix="codec")
        hold = Hold(asyncio.get_running_loop())
        self.context = context = FrontContext(
            engine, answers, hold, self._codec, always_timing=settings.server_timing
        )
        relays = Relays(
            lambda: http_path(engine.base),
            lambda: engine.link is not None,
            lambda: answers.later(ENGINE_GONE, close=True),
        )
        self.server: ConnectionServer = relays
        if settings.hot_path:
            self.server = HotServer(
                relays,
                lambda connection: FrontRequest(context, connection),
                hold,
                max_body_bytes=settings.max_body_bytes,
                max_json_bytes=settings.max_body_bytes,
                timeout=settings.timeout,
                keepalive=settings.keepalive,
            )

    async def stop(self, listener: Listener, seconds: float) -> None:
        """No new connections; last requests of the open ones; their answers; the end.

        What hangs for so many seconds is ended by the engine, which is told to stop then.
        """
        end = time.monotonic() + seconds + ABANDON_SECONDS
        self.context.draining = True
        await listener.stop_accepting()
        try:
            async with asyncio.timeout(seconds + ABANDON_SECONDS):
                await listener.say_goodbye()
                while self.context.in_flight:  # noqa: ASYNC110 - seldom, and for milliseconds
                    await asyncio.sleep(0.005)
        except TimeoutError:
            logger.warning(
                "stopped with requests unanswered", extra={"requests": self.context.in_flight}
            )
        await listener.close(end - time.monotonic())
        self.close()

    def close(self) -> None:
        """Stop the thread, and let the engine go."""
        self.engine.close()
        self._codec.shutdown(wait=False, cancel_futures=True)


def _add_nothing(response: web.Response) -> None:
    """Without CORS no header is common to all answers."""
