"""Answers as bytes, field by field as aiohttp writes them."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from time import time

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

from gateway.http.responses import json_bytes

AddHeaders = Callable[[web.Response], None]
"""Adds the headers that every answer has."""


class AnswerWriter:
    """Makes HTTP/1.1 answers. One is made for a server."""

    def __init__(self, add_headers: AddHeaders) -> None:
        self._add_headers = add_headers
        # What a plain answer has is asked of the code that makes it for aiohttp.
        self._ok = self._beginning(json_bytes(b""))
        self._second = -1
        self._ends = (b"", b"")
        """What follows Content-Length, of answers after which the connection stays and closes."""
        self._heads: dict[int, bytes] = {}
        """Of this second's plain answers, by the length of their bodies."""

    def ok(self, body: bytes, close: bool) -> bytes:
        """A JSON body that is the answer."""
        if int(time()) != self._second:
            self._renew()
        length = len(body)
        head = self._heads.get(length)
        if head is None or close:
            head = b"%b%d%b" % (self._ok, length, self._ends[close])
            if not close:
                self._heads[length] = head
        return head + body

    def of(self, response: web.Response, close: bool) -> bytes:
        """A response that has a body of bytes."""
        if int(time()) != self._second:
            self._renew()
        body = response.body
        assert isinstance(body, bytes), "made by http.responses"
        return b"%b%d%b%b" % (self._beginning(response), len(body), self._ends[close], body)

    def _beginning(self, response: web.Response) -> bytes:
        self._add_headers(response)
        fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
        status = f"HTTP/1.1 {response.status} {response.reason}\r\n"
        return f"{status}{fields}Content-Length: ".encode("latin-1")

    def _renew(self) -> None:
        """Write the date."""
        self._second = int(time())
        date = formatdate(self._second, usegmt=True)
        fields = f"\r\nDate: {date}\r\nServer: {SERVER_SOFTWARE}\r\n".encode()
        self._ends = (fields + b"\r\n", fields + b"Connection: close\r\n\r\n")
        self._heads.clear()
