"""Where load may go."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

JSON_HEADERS = (("Content-Type", "application/json"),)


class RemoteTarget(ValueError):
    """The address is not on this machine."""


@dataclass(frozen=True, slots=True)
class Target:
    """A predict URL: the address to connect to and the path to post to."""

    host: str
    port: int
    path: str

    def request(self, body: bytes, headers: Iterable[tuple[str, str]] = JSON_HEADERS) -> bytes:
        """A whole HTTP/1.1 request."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.authority}\r\n"
            f"{fields}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    @property
    def authority(self) -> str:
        """``HOST:PORT`` as URLs and Host fields have it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """``http://HOST[:PORT]/PATH``, the host a loopback one.

    Raises RemoteTarget for any other host, ValueError for any other URL.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is no http:// URL")
    path = parts.path or "/"
    query = f"?{parts.query}" if parts.query else ""
    return Target(loopback_address(parts.hostname), parts.port or 80, path + query)


def loopback_address(host: str) -> str:
    """The address of a host on this machine. Raises RemoteTarget for any other."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise RemoteTarget(f"host {host!r} has no address") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not all(ipaddress.ip_address(address).is_loopback for address in addresses):
        raise RemoteTarget(f"host {host!r} is not on this machine: load goes to loopback only")
    # "localhost" is both families, and a server may listen on IPv4 alone.
    return min(addresses, key=lambda address: ":" in address)
