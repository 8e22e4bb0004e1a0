"""A version that runs requests a second time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from batching import Inputs, Outputs
from gateway.errors import Code, ServingError
from gateway.exchange import Exchange
from gateway.models import shadow as shadow_module
from gateway.models.shadow import Shadow, ShadowResult
from tests.gateway.serving import until
from tests.models.conftest import MakeRig
from tests.models.rig import Rig

SAME, DIFFERENT, FAILED, LEFT_OUT = ShadowResult


def shadowed(version: int = 2, **more: Any) -> dict[str, Any]:
    return {"m": {"shadow": {"version": version, **more}}}


async def started(make_rig: MakeRig, factor: float | str = 10, **more: Any) -> tuple[Rig, Shadow]:
    """Version 1 multiplies by 10 and serves, version 2 by ``factor`` and is the shadow."""
    rig = make_rig(shadowed(**more), max_num_load_retries=0)
    rig.put("m", 1, 10)
    rig.put("m", 2, factor)
    await rig.start()
    return rig, Shadow(rig.registry)


def exchange(
    rig: Rig,
    *,
    inputs: Inputs | None = None,
    outputs: Outputs | None = None,
    failed: bool = False,
    pinned: bool = False,
) -> Exchange:
    """A request that version 1 answered."""
    servable = rig.registry.resolve("m")
    answer = outputs or {"y": np.full(1, 10, np.float32)}
    return Exchange(
        api="predict",
        servable=servable,
        signature=servable.queues["serving_default"].signature,
        pinned=pinned,
        inputs=inputs or {"x": np.ones(1, np.float32)},
        outputs=None if failed else answer,
        error=ServingError(Code.INTERNAL, "it failed") if failed else None,
        request_body=b"",
        response_body=b"",
        seconds=0.0,
    )


async def counts(shadow: Shadow) -> dict[ShadowResult, int]:
    await shadow.drain()
    assert {(name, version) for name, version, _ in shadow.counts} <= {("m", 2)}
    return {result: count for (_, _, result), count in shadow.counts.items()}


async def test_the_shadow_is_loaded_but_takes_no_requests(make_rig: MakeRig) -> None:
    rig, _ = await started(make_rig, 20)
    assert rig.states() == {1: "AVAILABLE", 2: "AVAILABLE"}
    assert await rig.ask() == 10
    assert await rig.ask(version=2) == 20


@pytest.mark.parametrize(
    ("policy", "version"), [("latest", 1), ("specific:7", 1), ("specific:7", 8), ("all", 3)]
)
async def test_any_version_may_be_the_shadow(make_rig: MakeRig, policy: str, version: int) -> None:
    rig = make_rig({"m": {"model_version_policy": policy, "shadow": {"version": version}}})
    for number in range(1, 9):
        rig.put("m", number, number)
    await rig.start()
    assert rig.states()[version] == "AVAILABLE"
    assert await rig.ask() == (7 if policy == "specific:7" else 8)


@pytest.mark.parametrize(
    ("factor", "result"), [(10, SAME), (10.001, SAME), (10.1, DIFFERENT), ("nan", FAILED)]
)
async def test_results(make_rig: MakeRig, factor: float, result: ShadowResult) -> None:
    rig, shadow = await started(make_rig, factor)
    for _ in range(3):
        shadow(exchange(rig))
    assert await counts(shadow) == {result: 3}


async def test_the_tolerance_is_that_of_the_settings(make_rig: MakeRig) -> None:
    rig, shadow = await started(make_rig, 10.1, tolerance=0.1)
    shadow(exchange(rig))
    assert await counts(shadow) == {SAME: 1}


async def test_large_answers_are_compared_too(make_rig: MakeRig) -> None:
    rig, shadow = await started(make_rig, 11)
    rows = shadow_module.LARGE_OUTPUT_VALUES + 1
    large = {"x": np.ones((1, rows), np.float32)}
    shadow(exchange(rig, inputs=large, outputs={"y": np.full((1, rows), 10, np.float32)}))
    assert await counts(shadow) == {DIFFERENT: 1}


async def test_a_share_of_the_requests(make_rig: MakeRig) -> None:
    rig, shadow = await started(make_rig, fraction=0.3)
    for _ in range(100):
        shadow(exchange(rig))
    assert await counts(shadow) == {SAME: 30}


async def test_no_share(make_rig: MakeRig) -> None:
    rig, shadow = await started(make_rig, fraction=0.0)
    shadow(exchange(rig))
    assert await counts(shadow) == {}


async def test_what_is_not_copied(make_rig: MakeRig) -> None:
    """A request that failed, or that asked for its version."""
    rig, shadow = await started(make_rig)
    shadow(exchange(rig, failed=True))
    shadow(exchange(rig, pinned=True))
    await rig.configure({"m": {}})
    shadow(exchange(rig))
    await rig.configure({})
    assert await counts(shadow) == {}


async def test_an_exchange_of_a_model_that_is_gone(make_rig: MakeRig) -> None:
    rig, shadow = await started(make_rig)
    last = exchange(rig)
    await rig.configure({})
    shadow(last)
    assert await counts(shadow) == {}


async def test_a_shadow_that_is_not_there(make_rig: MakeRig) -> None:
    rig, shadow = await started(make_rig, "damaged")
    assert rig.states() == {1: "AVAILABLE", 2: "END"}
    shadow(exchange(rig))
    assert await counts(shadow) == {LEFT_OUT: 1}


async def test_a_slow_shadow_is_spared(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow_module, "MAX_IN_FLIGHT", 5)
    rig, shadow = await started(make_rig)
    rig.backend.running["m/2"].shut()
    for _ in range(8):
        shadow(exchange(rig))
    assert await rig.ask() == 10, "the answers do not wait"
    rig.backend.running["m/2"].open()
    assert await counts(shadow) == {LEFT_OUT: 3, SAME: 5}


@pytest.mark.parametrize(
    "inputs", [{"x": [b"text"]}, {"x": ["text"]}, {"x": [[1.0], [1.0, 2.0]]}, {"z": [1.0]}]
)
async def test_a_shadow_that_cannot_take_the_inputs_has_failed(
    make_rig: MakeRig, inputs: dict[str, Any]
) -> None:
    """Its signature may have other types: that is a finding, and no harm to the request."""
    rig, shadow = await started(make_rig)
    shadow(exchange(rig, inputs=inputs))
    assert (await counts(shadow)).keys() <= {FAILED, LEFT_OUT}
    assert sum(shadow.counts.values()) == 1


async def test_the_shadow_is_unloaded_after_its_copies(make_rig: MakeRig) -> None:
    rig, shadow = await started(make_rig)
    running = rig.backend.running["m/2"]
    running.shut()
    shadow(exchange(rig))
    await until(lambda: rig.model("m", 2).running == 1)
    await rig.configure({"m": {"model_version_policy": "specific:1"}})
    await rig.becomes(v1="AVAILABLE", v2="UNLOADING")
    running.open()
    await rig.becomes(v1="AVAILABLE", v2="END")
    assert await counts(shadow) == {SAME: 1}


async def test_what_serves_becomes_the_shadow_without_a_gap(make_rig: MakeRig) -> None:
    rig = make_rig({"m": {}})
    rig.put("m", 1, 10)
    rig.put("m", 2, 20)
    await rig.start()
    async with rig.traffic() as seen:
        await rig.configure(shadowed())
        await rig.until_serves(1)
    assert not seen.errors
    assert seen.answers[-1] == 10
    assert rig.states() == {1: "AVAILABLE", 2: "AVAILABLE"}


async def test_the_shadow_is_promoted(make_rig: MakeRig) -> None:
    rig, _ = await started(make_rig, 20)
    async with rig.traffic() as seen:
        await rig.configure({"m": {}})
        await rig.becomes(v1="END", v2="AVAILABLE")
    assert not seen.errors
    assert seen.answers[-1] == 20


async def test_a_shadow_alone_does_not_serve(make_rig: MakeRig) -> None:
    rig = make_rig(shadowed())
    rig.put("m", 2, 20)
    await rig.start()
    assert rig.states() == {2: "AVAILABLE"}
    assert not rig.entry().ready
    rig.put("m", 1, 10)
    await rig.until_serves(1)
