"""Requests as bytes, and answers from bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

BODY = b'{"instances":[1,2]}'
ANSWER = b'{"predictions":[2.0,4.0]}'
PREDICT = b"/v1/models/m:predict"
HOST = b"Host: localhost:8501"

_DURATION = re.compile(rb"dur=[0-9.]+")
_CHANGING = (b"date",)


def post(body: bytes = BODY, *fields: bytes, path: bytes = PREDICT) -> bytes:
    """A plain request, with more fields if given."""
    length = b"Content-Length: %d" % len(body)
    return request(b"POST %b HTTP/1.1" % path, HOST, length, *fields, body=body)


def request(*lines: bytes, body: bytes = b"") -> bytes:
    """Lines as they are, an empty line, a body."""
    return b"\r\n".join((*lines, b"", b"")) + body


def chunked(*chunks: bytes) -> bytes:
    """A predict request with a body in chunks."""
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    lines = (b"POST %b HTTP/1.1" % PREDICT, HOST, b"Transfer-Encoding: chunked")
    return request(*lines, body=pieces)


GET = request(b"GET /v1/models/m HTTP/1.1", HOST)
LAST = request(b"GET /livez HTTP/1.1", HOST, b"Connection: close")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: what must not depend on who gave it."""

    status: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    """In their order. What changes with the time is left out."""
    body: bytes

    def __getitem__(self, name: bytes) -> bytes:
        return dict(self.fields)[name]

    @property
    def code(self) -> int:
        return int(self.status.split(b" ")[1])


def split_answers(received: bytes) -> tuple[list[Answer], bytes]:
    """The whole answers in what was received, and the rest."""
    answers = []
    while True:
        head, end, rest = received.partition(b"\r\n\r\n")
        if not end:
            return answers, received
        status, *lines = head.split(b"\r\n")
        fields = [tuple(line.split(b": ", 1)) for line in lines]
        length = int(next(value for name, value in fields if name.lower() == b"content-length"))
        if len(rest) < length:
            return answers, received
        kept = tuple((n, _DURATION.sub(b"", v)) for n, v in fields if n.lower() not in _CHANGING)
        answers.append(Answer(status, kept, rest[:length]))
        received = rest[length:]
