"""A child process as its supervisor knows it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

import gateway
from gateway.lifeline import VARIABLE, encode

Report = dict[str, Any]

_ROOT = Path(gateway.__file__).parent.parent
_MAX_REPORT_BYTES = 1 << 20


class Child:
    """Ends with its supervisor, however that ends. Use ``start``."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        lifeline: socket.socket,
        on_report: Callable[[Child, Report], None],
    ) -> None:
        self.process = process
        self._lifeline = lifeline
        self._on_report = on_report
        self._following = asyncio.get_running_loop().create_task(self._follow())

    @classmethod
    async def start(
        cls,
        module: str,
        first_message: Report,
        on_report: Callable[[Child, Report], None],
        sockets: Sequence[socket.socket] = (),
    ) -> Child:
        """Run ``python -m module``, a new interpreter that inherits the ``sockets`` and has
        ``gateway.lifeline.Lifeline``. ``on_report`` gets what it tells. Raises OSError.

        It has a session of its own: what a terminal sends to everybody is for the supervisor.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            inherited = (theirs.fileno(), *(listening.fileno() for listening in sockets))
            try:
                process = await asyncio.create_subprocess_exec(
                    # Without -P the working folder's files could be taken for modules.
                    *(sys.executable, "-P", "-m", module),
                    stdin=asyncio.subprocess.DEVNULL,
                    env=_environment(theirs),
                    pass_fds=inherited,
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        child = cls(process, ours, on_report)
        child.tell(first_message)
        return child

    def tell(self, message: Report) -> None:
        """Give an order; one that is gone does not get it. Orders are few: they fit the socket's
        buffer."""
        with suppress(OSError):
            self._lifeline.send(encode(message))

    def kill(self) -> None:
        """End it now."""
        with suppress(ProcessLookupError):
            self.process.kill()

    async def wait(self) -> int:
        """Its exit code, negative for a signal, once it has ended."""
        code = await self.process.wait()
        self._following.cancel()
        with suppress(asyncio.CancelledError):
            await self._following
        self._lifeline.close()
        return code

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        received = b""
        while len(received) < _MAX_REPORT_BYTES:
            try:
                data = await loop.sock_recv(self._lifeline, 65536)
            except OSError:
                return
            if not data:
                return
            *lines, received = (received + data).split(b"\n")
            for line in lines:
                self._on_report(self, orjson.loads(line))


def _environment(lifeline: socket.socket) -> dict[str, str]:
    """Modules are found where this process found them."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    found = {"PYTHONPATH": os.pathsep.join(paths), VARIABLE: str(lifeline.fileno())}
    return {**os.environ, **found}
