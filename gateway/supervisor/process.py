"""The supervisor's process from start to exit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

from gateway.config.settings import Settings
from gateway.http.listener import PortBusyError
from gateway.http.tls import TlsError, server_context
from gateway.logs import configure
from gateway.supervisor.sockets import open_sockets
from gateway.supervisor.supervisor import GivenUp, Supervisor

EXIT_OK, EXIT_CONFIG, EXIT_PORT = 0, 3, 5


def run(settings: Settings, flags: Mapping[str, str], fronts: int) -> int:
    """Serve with so many fronts and an engine until SIGTERM or SIGINT; the exit code.

    ``flags`` are those of the command line: the engine reads the whole configuration from them,
    the environment and the files, and again on SIGHUP. A second signal ends everything at once.

    0 after everything in flight was answered; 5 when the port is taken, 3 when the certificate is
    no use; before the first model is up what the engine ends with: 4 when no model could be
    loaded, 3 when the settings do not fit this host; 6 when a process dies again and again.
    """
    flush_logs = configure(settings.log_level, settings.log_format)
    try:
        asyncio.run(_supervise(settings, flags, fronts))
    except _Refused as refused:
        flush_logs()
        # The engine has told its reason itself.
        if str(refused):
            sys.stderr.write(f"tensorgate: {refused}\n")
        return refused.code
    flush_logs()
    return EXIT_OK


class _Refused(Exception):
    """There is no serving, or no going on."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


async def _supervise(settings: Settings, flags: Mapping[str, str], fronts: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked_to_stop(number: int) -> None:
        if stop.is_set():
            # The children notice.
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop, number)
    await _check_certificate(settings)
    try:
        sockets = await open_sockets(settings.host, settings.rest_api_port, fronts)
    except PortBusyError as error:
        raise _Refused(EXIT_PORT, str(error)) from error
    except OSError as error:
        reason = f"cannot listen on {settings.host}: {error.strerror}"
        raise _Refused(EXIT_PORT, reason) from error
    supervisor = Supervisor(settings, flags, sockets)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
    try:
        await supervisor.run(stop.wait())
    except GivenUp as error:
        raise _Refused(error.code, str(error)) from error


async def _check_certificate(settings: Settings) -> None:
    if not settings.ssl_certificate_file:
        return
    files = settings.ssl_certificate_file, settings.ssl_key_file, settings.ssl_client_ca_file
    try:
        await asyncio.to_thread(server_context, *files)
    except TlsError as error:
        raise _Refused(EXIT_CONFIG, str(error)) from error
