"""Every request of the hot path's corpus gets the same answer through a front, or two of them, as
from one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.front.rig import Rig, fronted
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import Client, serving_fakes
from tests.hot.corpus import MALFORMED, OTHERS, PLAIN
from tests.hot.requests import Answer
from tests.hot.test_same_answers import _break, _complex, _counts, talk

CASES = {**PLAIN, **OTHERS, **MALFORMED}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Rig, Client]]:
    """A server with a front and one in one process."""
    tmp_path = tmp_path_factory.mktemp("models")
    contents = {
        "m": FakeSignature(),
        "broken": FakeSignature(_break),
        "odd": FakeSignature(_complex),
    }
    options: dict[str, Any] = {"max_queue_rows": 100_000, "batching": "on"}
    # How many rows share a batch is told, and must not depend on how fast they run.
    options["adaptive_batching"] = False
    if request.param == "CORS and timing":
        options |= {"rest_api_enable_cors_support": True, "server_timing": True}
    async with AsyncExitStack() as stack:
        relayed = {"hot_path": False} if request.param == "all relayed" else {}
        rig = await stack.enter_async_context(fronted(tmp_path, contents, **options, **relayed))
        alone = await stack.enter_async_context(serving_fakes(tmp_path, contents, **options))
        yield rig, alone


def comparable(found: tuple[list[Answer], bytes]) -> tuple[list[Answer], bytes]:
    """Without the part of Retry-After that is left to chance."""
    answers, rest = found
    return [
        replace(a, fields=tuple((n, b"" if n == b"Retry-After" else v) for n, v in a.fields))
        for a in answers
    ], rest


@pytest.mark.parametrize(
    ("both", "name"),
    [
        *(("plain", name) for name in CASES),
        *((shape, name) for shape in ("CORS and timing", "all relayed") for name in PLAIN),
    ],
    indirect=["both"],
    scope="module",
)
async def test_the_same_answer(both: tuple[Rig, Client], name: str) -> None:
    rig, alone = both
    found, expected = [await talk(client, CASES[name]) for client in (rig.front, alone)]
    assert comparable(found) == comparable(expected)
    assert found[0], "no answer at all"


@pytest.mark.parametrize("both", ["plain", "all relayed"], indirect=True, scope="module")
async def test_the_same_counts(both: tuple[Rig, Client]) -> None:
    """Requests by model, API and status."""
    rig, alone = both
    for client in (rig.front, alone):
        for data in PLAIN.values():
            await talk(client, data)
    found, expected = await _counts(rig.front), await _counts(alone)
    assert found == expected
    assert len(found) > 20


async def test_no_plain_request_costs_a_front_its_connection(tmp_path: Path) -> None:
    """Those that only the engine can read or refuse go there one by one."""
    contents = {
        "m": FakeSignature(),
        "broken": FakeSignature(_break),
        "odd": FakeSignature(_complex),
    }
    async with fronted(tmp_path, contents, max_queue_rows=100_000, batching="on") as rig:
        wire = rig.front.wire()
        for name, data in PLAIN.items():
            if b"close" in data.lower():
                continue
            wire.send(data)
            await wire.answers(1)
            assert not rig.front.relayed, name
