"""Answers as bytes."""

from __future__ import annotations

import pytest
from aiohttp import web

from gateway.errors import Code, ServingError
from gateway.http.hot import answers
from gateway.http.hot.answers import AnswerWriter
from gateway.http.responses import error_response


def _nothing_added(response: web.Response) -> None:
    pass


def test_the_date_follows_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = AnswerWriter(_nothing_added)
    for second, date in (
        (0.0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (0.9, b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (1.0, b"Thu, 01 Jan 1970 00:00:01 GMT"),
        (1e9, b"Sun, 09 Sep 2001 01:46:40 GMT"),
        (5.0, b"Thu, 01 Jan 1970 00:00:05 GMT"),
    ):
        monkeypatch.setattr(answers, "time", lambda now=second: now)
        assert b"\r\nDate: " + date + b"\r\n" in writer.ok(b"{}", False)


def test_what_an_error_adds() -> None:
    writer = AnswerWriter(_nothing_added)
    error = ServingError(Code.UNAVAILABLE, "later", retry_after=1.5)
    answer = writer.of(error_response(error, 0), True)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 2\r\n" in answer
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b'\r\n\r\n{"error":"later"}')


def test_every_answer_has_the_common_headers() -> None:
    def add_headers(response: web.Response) -> None:
        response.headers["X-Added"] = "yes"

    writer = AnswerWriter(add_headers)
    error = error_response(ServingError(Code.NOT_FOUND, "gone"))
    for answer in (writer.ok(b"{}", False), writer.of(error, False)):
        assert answer.count(b"\r\nX-Added: yes\r\n") == 1


def test_a_last_answer_says_so_whatever_was_answered_before() -> None:
    writer = AnswerWriter(_nothing_added)
    for close in (False, True, False):
        assert (b"\r\nConnection: close\r\n" in writer.ok(b"{}", close)) is close
