"""Where a gRPC server listens: the same addresses as REST, and no port that is in use."""

from __future__ import annotations

import socket
from typing import NamedTuple

from gateway.http.listener import bind, find_addresses


class Address(NamedTuple):
    """One address of this host."""

    family: int
    text: str

    @property
    def bracketed(self) -> str:
        """As it stands before a port."""
        return f"[{self.text}]" if self.family == socket.AF_INET6 else self.text


async def addresses_of(host: str) -> list[Address]:
    """All addresses of ``host``, ``localhost`` having both loopback ones. Raises OSError."""
    return [Address(*found) for found in await find_addresses(host)]


def refuse_busy_port(address: Address, port: int) -> None:
    """Raises PortBusyError or OSError. gRPC itself says only that it failed."""
    bind(address.family, address.text, port).close()
