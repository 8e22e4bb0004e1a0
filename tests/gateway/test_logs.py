"""The log: JSON lines, or lines for a person; never on the event loop."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from gateway.logs import configure


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What was written to standard error. The test run's own logging is put back in the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)


def test_one_json_object_a_line(stderr: Callable[[], str]) -> None:
    flush = configure("info", "auto")
    logger = logging.getLogger("gateway.models")
    logger.info("loaded %s", "m", extra={"model": 'a "b"\n{', "version": 3})
    logger.debug("not this")
    try:
        raise ValueError("why")
    except ValueError:
        logger.exception("failed")
    flush()
    first, second = [json.loads(line) for line in stderr().splitlines()]
    assert first.pop("ts").endswith("+00:00")
    assert first == {
        "level": "info",
        "logger": "gateway.models",
        "event": "loaded m",
        "model": 'a "b"\n{',
        "version": 3,
    }
    assert second["level"] == "error"
    assert "ValueError: why" in second["exception"]


def test_lines_for_a_person_cannot_be_forged(stderr: Callable[[], str]) -> None:
    flush = configure("info", "console")
    logging.getLogger("gateway").warning("hm", extra={"model": "m\nerror: all is lost\x1b[2J"})
    flush()
    assert stderr() == "warning: hm model=m\\nerror: all is lost\\x1b[2J\n"


def test_the_level(stderr: Callable[[], str]) -> None:
    flush = configure("warning", "json")
    logging.getLogger("gateway").info("quiet")
    logging.getLogger("gateway").warning("loud")
    flush()
    flush()
    assert [json.loads(line)["event"] for line in stderr().splitlines()] == ["loud"]
