"""What becomes of requests between a front and the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from gateway.backends.base import Tensors
from gateway.hop.frames import Kind, json_frame
from gateway.http.large import LARGE_BODY_BYTES, LARGE_OUTPUT_VALUES
from tests.front.rig import Rig, fronted
from tests.gateway.fake_backend import FakeSignature, Outputs, by_name, spec
from tests.gateway.serving import until
from tests.hot.requests import ANSWER, BODY, GET, post


def asking(number: int) -> bytes:
    return post(b'{"instances":[%d]}' % number)


def answer_to(number: int) -> bytes:
    return b'{"predictions":[%.1f]}' % (2 * number)


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


@pytest.fixture
async def rig(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[Rig]:
    async with fronted(tmp_path, {"m": fake}, fronts=2, batching="on") as made:
        yield made


async def test_a_batch_of_two_fronts(rig: Rig, fake: FakeSignature) -> None:
    """And each request gets its own rows of it."""
    fake.valve.shut()
    first = rig.front.wire()
    first.send(asking(0))
    await until(lambda: len(fake.batches) == 1)
    wires = [rig.fronts[n % 2].wire() for n in range(8)]
    for number, wire in enumerate(wires):
        wire.send(asking(number))
    await until(lambda: rig.waiting_rows() == 8)
    fake.valve.open()
    answers = [(await wire.answer()).body for wire in wires]
    assert answers == [answer_to(number) for number in range(8)]
    assert fake.sizes == [1, 8]
    assert (await first.answer()).body == answer_to(0)
    await until(lambda: not rig.in_flight)


async def test_nothing_is_relayed_of_plain_requests(rig: Rig) -> None:
    wire = rig.front.wire()
    wire.send(post() * 50)
    assert {answer.body for answer in await wire.answers(50)} == {ANSWER}
    assert rig.front.relayed == 0


async def test_a_client_that_leaves_takes_its_rows_along(rig: Rig, fake: FakeSignature) -> None:
    fake.valve.shut()
    rig.front.wire().send(asking(0))
    await until(lambda: len(fake.batches) == 1)
    gone, stays = rig.front.wire(), rig.front.wire()
    gone.send(asking(7))
    stays.send(asking(8))
    await until(lambda: rig.waiting_rows() == 2)
    gone.leave()
    await until(lambda: rig.waiting_rows() == 1)
    assert rig.in_flight == 2
    fake.valve.open()
    assert (await stays.answer()).body == answer_to(8)
    await until(lambda: not rig.in_flight)
    assert [batch["x"].tolist() for batch in fake.batches] == [[0], [8]]
    requests = "tensorgate_requests_total"
    assert await rig.client.metric(requests, model="m", code="499") == 1


async def test_a_front_that_dies_takes_its_rows_along(rig: Rig, fake: FakeSignature) -> None:
    fake.valve.shut()
    rig.front.wire().send(asking(0))
    await until(lambda: len(fake.batches) == 1)
    stays = rig.front.wire()
    stays.send(asking(8))
    for number in range(3):
        rig.fronts[1].wire().send(asking(number))
    await until(lambda: rig.waiting_rows() == 4)
    link = rig.fronts[1].front.engine.link
    assert link is not None
    assert link._transport is not None
    link._transport.abort()
    await until(lambda: rig.waiting_rows() == 1)
    fake.valve.open()
    assert (await stays.answer()).body == answer_to(8)


async def test_a_deadline_passes(tmp_path: Path, fake: FakeSignature) -> None:
    async with fronted(tmp_path, {"m": fake}, rest_api_timeout_in_ms=60) as rig:
        fake.valve.shut()
        wire = rig.front.wire()
        wire.send(post())
        answer = await wire.answer()
        assert answer.code == 504
        assert answer.body.startswith(b'{"error":"no answer within ')
        fake.valve.open()
        wire.send(post())
        assert (await wire.answer()).body == ANSWER


async def test_refusals_are_counted_by_the_engine(rig: Rig) -> None:
    wire = rig.front.wire()
    wire.send(post(b"{") + post(b'{"instances":["text"]}') + post())
    assert [answer.code for answer in await wire.answers(3)] == [400, 400, 200]
    requests = "tensorgate_requests_total"
    assert await rig.client.metric(requests, model="m", code="400") == 2
    assert await rig.client.metric(requests, model="m", code="200") == 1
    text = (await rig.client.get("/monitoring/prometheus/metrics")).body
    assert b'request_count{model_name="m",status="INVALID_ARGUMENT"} 2' in text


async def test_a_full_queue(tmp_path: Path, fake: FakeSignature) -> None:
    async with fronted(tmp_path, {"m": fake}, max_batch_size=2, max_queue_rows=2) as rig:
        fake.valve.shut()
        wires = [rig.front.wire() for _ in range(4)]
        wires[0].send(asking(0))
        await until(lambda: len(fake.batches) == 1)
        for wire in wires[1:]:
            wire.send(asking(1))
        refused = await wires[3].answer()
        assert refused.code == 503
        assert int(refused[b"Retry-After"]) >= 1
        fake.valve.open()
        for wire in wires[:3]:
            assert (await wire.answer()).code == 200


async def test_a_large_body_is_read_by_the_front(rig: Rig, fake: FakeSignature) -> None:
    """In segments, off the loop, and followed by another request."""
    numbers = [n + 0.5 for n in range(30_000)]
    body = b'{"instances":[%b]}' % b",".join(b"%.1f" % n for n in numbers)
    assert len(body) > 2 * LARGE_BODY_BYTES
    wire = rig.front.wire()
    data = post(body) + post()
    wire.send(*(data[at : at + 10_000] for at in range(0, len(data), 10_000)))
    large, small = await wire.answers(2)
    expected = b",".join(b"%.1f" % (2 * n) for n in numbers)
    assert large.body == b'{"predictions":[%b]}' % expected
    assert small.body == ANSWER
    assert sum(fake.sizes) == len(numbers) + 2
    assert rig.front.relayed == 0


async def test_a_large_body_that_is_wrong(rig: Rig) -> None:
    wire = rig.front.wire()
    wire.send(post(b'{"instances":[%b]}' % b",".join([b'"text"'] * 20_000)), post())
    refused, answered = await wire.answers(2)
    assert (refused.code, answered.body) == (400, ANSWER)
    requests = "tensorgate_requests_total"
    assert await rig.client.metric(requests, model="m", code="400") == 1


async def test_a_client_that_leaves_while_its_body_is_read(rig: Rig, fake: FakeSignature) -> None:
    wire = rig.front.wire()
    wire.send(post(b'{"instances":[%b]}' % b",".join([b"1.5"] * 50_000)))
    wire.leave()
    assert rig.front.front.context.in_flight == 0
    other = rig.front.wire()
    other.send(post())
    assert (await other.answer()).body == ANSWER
    assert fake.sizes == [2]


async def test_a_body_that_does_not_come_in_time(tmp_path: Path, fake: FakeSignature) -> None:
    """The engine's HTTP server ends what is slow."""
    async with fronted(tmp_path, {"m": fake}, rest_api_timeout_in_ms=60) as rig:
        wire = rig.front.wire()
        wire.send(post()[:-3])
        answer = await wire.answer()
        assert answer.code == 504
        assert answer.body == b'{"error":"the body did not arrive within 0.06 s"}'


async def test_a_large_answer(rig: Rig, fake: FakeSignature) -> None:
    values = LARGE_OUTPUT_VALUES + 1
    fake.function = lambda inputs: {"y": inputs["x"][:, None].repeat(values, 1)}
    wire = rig.front.wire()
    wire.send(post(b'{"instances":[1.5]}') + post(b'{"instances":[2.5]}'))
    bodies = [answer.body for answer in await wire.answers(2)]
    for body, number in zip(bodies, (b"1.5", b"2.5"), strict=True):
        assert body == b'{"predictions":[[%b]]}' % b",".join([number] * values)


def _shout(inputs: Tensors) -> Outputs:
    return {
        "loud": np.array([text.upper() for text in inputs["text"]], object),
        "sum": inputs["pair"].sum(axis=1),
    }


async def test_strings_and_several_inputs(tmp_path: Path) -> None:
    fake = FakeSignature(
        _shout,
        by_name(spec("text", "object"), spec("pair", "int64", 2)),
        by_name(spec("loud", "object"), spec("sum", "int64")),
    )
    rows = b'{"text":"a","pair":[1,2]},{"text":"\xc3\xa9 \\u00e9","pair":[3,4]}'
    expected = b'{"loud":"A","sum":3},{"loud":"\xc3\xa9 \xc3\xa9","sum":7}'
    async with fronted(tmp_path, {"m": fake}, batching="on") as rig:
        wire = rig.front.wire()
        wire.send(post(b'{"instances":[%b]}' % rows))
        assert (await wire.answer()).body == b'{"predictions":[%b]}' % expected
        columns = b'{"inputs":{"text":["x"],"pair":[[5,6]]}}'
        wire.send(post(columns))
        assert (await wire.answer()).body == b'{"outputs":{"loud":["X"],"sum":[11]}}'
        assert rig.front.relayed == 0


@pytest.mark.parametrize("form", [b'{"instances":[1,2]}', b'{"inputs":[1,2]}'])
@pytest.mark.parametrize(
    "output",
    [np.float32(5), np.zeros((3, 2), np.float16), np.array(["text"], object), np.zeros((0, 2))],
)
async def test_outputs_that_only_the_engine_can_write(
    tmp_path: Path, form: bytes, output: np.ndarray, fake: FakeSignature
) -> None:
    """Or nobody: without rows, of a dtype that JSON lacks, strings that are not bytes."""
    fake.function = lambda inputs: {"y": np.asarray(output)}
    answers = []
    async with fronted(tmp_path, {"m": fake}, batching="off") as rig:
        for client in (rig.front, rig.client):
            found = await client.predict("m", form)
            answers.append((found.status, found.body))
        await until(lambda: not rig.in_flight)
    assert answers[0] == answers[1]


async def test_timing(tmp_path: Path, fake: FakeSignature) -> None:
    async with fronted(tmp_path, {"m": fake}) as rig:
        wire = rig.front.wire()
        wire.send(post(BODY, b"Server-Timing: 1"))
        fields = (await wire.answer())[b"Server-Timing"]
        assert fields.startswith(b"queue;")
        assert fields.endswith(b'batch_rows;desc="2"')


async def test_pipelined_requests_of_both_kinds(rig: Rig) -> None:
    wire = rig.front.wire()
    wire.send(post() + post() + GET + post())
    bodies = [answer.body for answer in await wire.answers(4)]
    assert bodies[:2] == [ANSWER, ANSWER]
    assert b"model_version_status" in bodies[2]
    assert bodies[3] == ANSWER
    assert rig.front.relayed == 1


async def test_requests_that_the_engine_reads(tmp_path: Path) -> None:
    """One whose client leaves, one whose front leaves, one that is answered."""
    data = post(path=b"/v1/models/slow:predict")
    slow = FakeSignature()
    models = {"slow": {"request_log": str(tmp_path / "slow.jsonl")}}
    contents = {"m": FakeSignature(), "slow": slow}
    async with fronted(tmp_path, contents, fronts=2, models=models) as rig:
        await rig.client.gateway.open_request_logs()
        slow.valve.shut()
        gone, stays, cut = rig.front.wire(), rig.front.wire(), rig.fronts[1].wire()
        for wire in (gone, stays, cut):
            wire.send(data)
        await until(lambda: rig.in_flight == 3)
        gone.leave()
        await until(lambda: rig.in_flight == 2)
        link = rig.fronts[1].front.engine.link
        assert link is not None
        assert link._transport is not None
        link._transport.abort()
        await until(lambda: rig.in_flight == 1)
        assert (await cut.answer()).code == 503
        slow.valve.open()
        assert (await stays.answer()).body == ANSWER
        assert rig.front.relayed == 0
        counts = rig.client.gateway.request_log.counts["slow"]
        await until(lambda: counts.written == 1)
        await rig.client.gateway.close_request_logs(5)


async def test_a_front_that_sends_nonsense(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Loses its connection, and gets another one."""
    link = rig.fronts[1].front.engine.link
    assert link is not None
    assert link._transport is not None
    link._transport.write(json_frame(Kind.ROUTES, {}))
    await until(lambda: rig.fronts[1].front.engine.link not in (link, None))
    for front in rig.fronts:
        wire = front.wire()
        wire.send(post())
        assert (await wire.answer()).body == ANSWER
    assert "a front sends nonsense" in caplog.text


async def test_nothing_is_left(rig: Rig) -> None:
    mixed = [post(), post(b"{"), asking(-1), post(path=b"/v1/models/none:predict"), GET]
    for _ in range(10):
        wires = [rig.front.wire() for _ in mixed]
        for wire, data in zip(wires, mixed, strict=True):
            wire.send(data)
        for wire in wires:
            await wire.answer()
            wire.leave()
    link = rig.front.front.engine.link
    assert link is not None
    assert not link._waiting
    assert rig.front.front.context.in_flight == 0
    await until(lambda: not rig.in_flight and not rig.front.relayed)
    [first, second] = rig.engine._links
    assert not first._pending
    assert not second._pending
    latest = rig.client.gateway.registry.models["m"].latest
    assert latest is not None
    await asyncio.wait_for(latest.retire(), 5)
