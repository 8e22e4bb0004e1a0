"""Answers as bytes, field by field as aiohttp writes them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from email.utils import formatdate
from itertools import cycle
from time import time

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

from gateway.errors import ServingError
from gateway.http.responses import RETRY_SPREAD_SECONDS, error_response, json_bytes

_MOST_REFUSALS = 64

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
        self._refusals: dict[Hashable, Iterator[bytes]] = {}
        """This second's."""

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

    def later(self, error: ServingError, close: bool) -> bytes:
        """A refusal with Retry-After. Many get the same at a time: it is written once a second,
        once for each of the times that they are told to come back."""
        if int(time()) != self._second:
            self._renew()
        key = (error.message, error.code, error.retry_after, close)
        texts = self._refusals.get(key)
        if texts is None:
            if len(self._refusals) >= _MOST_REFUSALS:
                self._refusals.clear()
            responses = [error_response(error, more) for more in range(RETRY_SPREAD_SECONDS + 1)]
            texts = self._refusals[key] = cycle([self.of(r, close) for r in responses])
        return next(texts)

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
        self._refusals.clear()
