"""ModelStreamInfer."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import grpc
import pytest

from gateway.grpc import oip_stream
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import until
from tests.oip_grpc.serving import serving_oip, x
from tests.oip_grpc.streams import Stream, request, values
from tests.oip_grpc.tensors import message_of


async def test_answers_come_in_the_order_of_the_requests(tmp_path: Path) -> None:
    slow, quick = FakeSignature(), FakeSignature()
    async with serving_oip(
        tmp_path, {"m": slow, "quick": quick}, devices=("cpu:0", "cpu:1")
    ) as door:
        slow.valve.shut()
        stream = Stream(door)
        other = message_of("FP32", [1], fp32_contents=[5])
        other.model_name, other.id = "quick", "2"
        await stream.send(request(1, request_id="1"), other.SerializeToString())
        await until(lambda: len(quick.batches) == 1)

        slow.valve.open()
        first, second = await stream.replies(2)
        await stream.close()

    assert (first.infer_response.id, second.infer_response.id) == ("1", "2")
    assert (values(first), values(second)) == ([2], [10])


async def test_requests_in_flight_share_a_batch(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        stream = Stream(door)
        await stream.send(request(0))
        await until(lambda: len(fake.batches) == 1)
        await stream.send(*(request(i) for i in range(1, 9)))
        await until(lambda: door.rest.waiting_rows("m") == 8)
        fake.valve.open()
        replies = await stream.replies(9)
        await stream.close()

    assert [values(reply) for reply in replies] == [[2 * i] for i in range(9)]
    assert fake.sizes == [1, 8]


async def test_each_answer_is_the_final_one_for_its_request(tmp_path: Path) -> None:
    message = message_of("FP32", [1], fp32_contents=[1])
    message.parameters["triton_enable_empty_final_response"].bool_param = True
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        stream = Stream(door)
        await stream.send(message.SerializeToString(), request(2))
        replies = await stream.replies(2)
        await stream.close()

    assert [values(reply) for reply in replies] == [[2], [4]]
    for reply in replies:
        assert reply.infer_response.parameters["triton_final_response"].bool_param


async def test_an_error_is_an_answer_and_the_stream_goes_on(tmp_path: Path) -> None:
    unknown = message_of("FP32", [1], fp32_contents=[1])
    unknown.model_name, unknown.id = "nobody", "3"
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        stream = Stream(door)
        await stream.send(
            request(-1, request_id="1"),
            b"\xff\xff garbage",
            unknown.SerializeToString(),
            request(4, request_id="4"),
        )
        negative, garbage, missing, fine = await stream.replies(4)
        await stream.close()

    assert negative.error_message == "[request id: 1] x must not be negative"
    assert negative.infer_response.id == "1"
    assert negative.infer_response.parameters["triton_final_response"].bool_param
    assert garbage.error_message == "the request is no ModelInferRequest"
    assert "'nobody' is not found" in missing.error_message
    assert missing.infer_response.id == "3"
    assert values(fine) == [8]


async def test_a_client_that_wants_it_gets_a_status_for_the_first_error(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        stream = Stream(door, metadata=(("triton_grpc_error", "true"),))
        await stream.send(request(1), request(-1), request(2))
        assert values(await stream.reply()) == [2]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.reply()

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "x must not be negative" in (caught.value.details() or "")


async def test_a_stream_that_its_client_cancels_leaves_nothing_behind(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        stream = Stream(door)
        await stream.send(request(0))
        await until(lambda: len(fake.batches) == 1)
        await stream.send(*(request(i) for i in range(1, 9)))
        await until(lambda: door.rest.waiting_rows("m") == 8)

        stream.call.cancel()
        await until(lambda: door.rest.waiting_rows("m") == 0)

        fake.valve.open()
        assert (await door.infer("m", x(1))).as_numpy("y").tolist() == [2]
    assert fake.sizes == [1, 1]


async def test_clients_that_leave_in_the_middle_of_answers_are_no_news(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        for _ in range(20):
            stream = Stream(door)
            await stream.send(*(request(i) for i in range(50)))
            await stream.reply()
            stream.call.cancel()
        await until(lambda: door.gateway.in_flight == 0)
        assert (await door.infer("m", x(1))).as_numpy("y").tolist() == [2]

    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_streams_deadline_is_that_of_its_requests(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        stream = Stream(door, timeout=0.2)
        await stream.send(request(0))
        await until(lambda: len(fake.batches) == 1)
        await stream.send(request(1))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.reply()
        await until(lambda: door.rest.waiting_rows("m") == 0)
        fake.valve.open()

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert fake.sizes == [1]


@pytest.mark.parametrize(
    ("limit", "value"),
    [("MAX_REQUESTS", 3), ("MAX_BYTES", 2 * len(request(0)) + 1)],
    ids=["requests", "bytes"],
)
async def test_no_more_is_read_than_may_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(oip_stream, limit, value)
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        stream = Stream(door)
        await stream.send(request(0))
        await until(lambda: len(fake.batches) == 1)
        await stream.send(*(request(i) for i in range(1, 9)))
        await until(lambda: door.rest.waiting_rows("m") == 2)
        for _ in range(5):
            # What can be read is, while these come and go.
            assert await door.client.is_server_live()
        assert door.rest.waiting_rows("m") == 2
        fake.valve.open()
        replies = await stream.replies(9)
        await stream.close()

    assert [values(reply) for reply in replies] == [[2 * i] for i in range(9)]


async def test_many_requests_on_one_stream(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        stream = Stream(door)
        count = 4 * oip_stream.MAX_REQUESTS
        sending = asyncio.create_task(stream.send(*(request(i) for i in range(count))))
        replies = await stream.replies(count)
        await sending
        await stream.close()

    assert [values(reply) for reply in replies] == [[2 * i] for i in range(count)]


async def test_requests_on_streams_are_waited_for_when_the_server_stops(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        stream = Stream(door)
        await stream.send(request(0))
        await until(lambda: len(fake.batches) == 1)
        assert door.gateway.in_flight == 1
        fake.valve.open()
        await stream.reply()
        assert door.gateway.in_flight == 0
        await stream.close()


async def test_each_request_is_counted(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        stream = Stream(door)
        await stream.send(request(1), request(-1), request(2))
        await stream.replies(3)
        await stream.close()
        counted = [
            await door.rest.metric(
                "tensorgate_requests_total", model="m", api="ModelStreamInfer", code=code
            )
            for code in ("OK", "INVALID_ARGUMENT")
        ]

    assert counted == [2, 1]
