"""The clients of the lifecycle benchmarks notice what they are there to notice."""

from __future__ import annotations

import json

import pytest

from benchmarks.lifecycle.export import version_of
from benchmarks.lifecycle.watchers import X_VALUES, Watchers
from benchmarks.loadgen.connection import Connection
from benchmarks.loadgen.target import Target
from benchmarks.swaps import Swaps


def answer(x: float, first_of: int, second_of: int) -> bytes:
    outputs = {"first": x + first_of, "second": x + 1000 * second_of}
    return json.dumps({"predictions": [outputs]}).encode()


@pytest.mark.parametrize(("first", "second", "version"), [(4.0, 3001.0, 3), (4.0, 2001.0, None)])
def test_an_answer_tells_its_version(first: float, second: float, version: int | None) -> None:
    assert version_of(1.0, first, second) == version


class Silent(Connection):
    """Sends nothing."""

    def send(self, request: bytes) -> None:
        self.in_flight = True


async def test_watchers_notice_mixed_and_older_answers() -> None:
    watchers = Watchers(Target("127.0.0.1", 1, "/"))
    connection = Silent(watchers._on_answer, watchers._on_lost)
    watchers._last[connection] = 0
    watchers._send(connection)
    for first, second in ((2, 2), (2, 3), (3, 3), (2, 2)):
        body = answer(X_VALUES[connection.sample], first, second)
        watchers._on_answer(connection, 200, body)
    watchers._on_answer(connection, 503, b"{}")
    watchers._on_lost(connection, "gone")
    assert watchers.answered == 5
    assert watchers.by_version == {2: 2, 3: 1}
    assert dict(watchers.faults) == {
        "an answer of two versions": 1,
        "an older version after a newer one": 1,
        "status 503: {}": 1,
        "gone": 1,
    }


def test_the_slope_of_memory_is_that_of_most_swaps() -> None:
    steady = [100.0 + 2.0 * swap for swap in range(40)]
    steady[20:] = [value + 50.0 for value in steady[20:]]
    swaps = Swaps(1, {}, 1, [1.0], steady, None, None)  # type: ignore[arg-type]
    assert 2.0 <= swaps.slope < 4.5
