"""Real server processes: their ports, their lines, and how they end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.codecs.tensor_proto import array_of
from gateway.protos.services import PREDICTION_SERVICE
from gateway.protos.serving import PredictResponse
from tests.gateway.fake_server import HANGS_FROM
from tests.gateway.processes import FAKE, ServerProcess, fetch, run_to_end, running
from tests.gateway.serving import folders, until
from tests.grpc.serving import predict_request


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Channel:
    """A client of one server process."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._predict = channel.unary_unary(
            f"/{PREDICTION_SERVICE}/Predict",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=PredictResponse.FromString,
        )

    async def predict(self, x: float) -> list[float]:
        answer = await self._predict(predict_request("m", x=np.float32([x])))
        values: list[float] = array_of(answer.outputs["y"]).tolist()
        return values


@asynccontextmanager
async def served(
    root: Path, model: str, *flags: str
) -> AsyncIterator[tuple[ServerProcess, Channel]]:
    folders(root, f"{model}/1")
    port = free_port()
    common = ("--model_name=m", f"--model_base_path={model}", "--rest_api_port=0")
    arguments = ("serve", *common, f"--port={port}", "--host=127.0.0.1", "--warmup=false", *flags)
    async with (
        running(FAKE, *arguments, cwd=root) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        assert f"gRPC on 127.0.0.1:{port}" in server.lines
        yield server, Channel(channel)


async def batches(server: ServerProcess) -> float:
    """How many the devices were given."""
    text = (await fetch(server.port, "/metrics"))[1].decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "tensorgate_batches_released_total"
    )


async def hang(server: ServerProcess, channel: Channel) -> asyncio.Task[list[float]]:
    """A call whose run has begun, and never ends."""
    before = await batches(server)
    hanging = asyncio.create_task(channel.predict(HANGS_FROM))
    async with asyncio.timeout(8):
        while await batches(server) == before:
            await asyncio.sleep(0.01)
    return hanging


async def end_of(server: ServerProcess) -> int:
    server.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(8):
        return await server.finish()


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    folders(tmp_path, "double/1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flags = ("--model_base_path=double", "--rest_api_port=0", f"--port={port}")
        end = await run_to_end(FAKE, "serve", *flags, "--host=127.0.0.1", cwd=tmp_path)
    assert end == (5, [f"tensorgate: port {port} of 127.0.0.1 is in use"])


async def test_it_answers_and_ends(tmp_path: Path) -> None:
    async with served(tmp_path, "double") as (server, channel):
        assert await channel.predict(2) == [4]
        assert await end_of(server) == 0


async def test_a_socket_alone(tmp_path: Path) -> None:
    folders(tmp_path, "double/1")
    flags = ("--model_name=m", "--model_base_path=double", "--rest_api_port=0", "--port=0")
    async with running(FAKE, "serve", *flags, "--grpc_socket_path=s", cwd=tmp_path) as server:
        assert "gRPC on unix:s" in server.lines
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
            assert await Channel(channel).predict(2) == [4]
        assert await end_of(server) == 0


async def test_what_runs_is_answered_after_sigterm(tmp_path: Path) -> None:
    async with served(tmp_path, "busy", "--batching=off") as (server, channel):
        assert await channel.predict(1) == [2]
        # Each takes 20 ms and two run at a time.
        calls = [asyncio.create_task(channel.predict(n)) for n in range(40)]
        await asyncio.gather(*calls[:20])
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.gather(*calls) == [[2 * n] for n in range(40)]
        assert await server.finish() == 0


async def test_clients_that_go_on_are_refused(tmp_path: Path) -> None:
    """None of them is cut off, however busy they are."""
    async with served(tmp_path, "double") as (server, channel):
        answered, ends = 0, []

        async def ask() -> None:
            nonlocal answered
            try:
                while await channel.predict(2) == [4]:
                    answered += 1
            except grpc.aio.AioRpcError as error:
                ends.append(error.code())

        load = asyncio.gather(*[ask() for _ in range(16)])
        await until(lambda: answered > 100)
        code = await end_of(server)
        await load
        assert (code, ends) == (0, [grpc.StatusCode.UNAVAILABLE] * 16)


async def test_a_run_that_hangs_is_not_waited_for_beyond_the_drain_timeout(tmp_path: Path) -> None:
    async with served(tmp_path, "hanging", "--drain_timeout_s=0.5") as (server, channel):
        hanging = await hang(server, channel)
        assert await end_of(server) == 0
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await hanging
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_it_takes_no_calls_while_it_stops(tmp_path: Path) -> None:
    async with served(tmp_path, "hanging", "--drain_timeout_s=1") as (server, channel):
        hanging = await hang(server, channel)
        server.process.send_signal(signal.SIGTERM)
        refused: list[grpc.StatusCode] = []
        while not refused:
            try:
                await channel.predict(1)
            except grpc.aio.AioRpcError as error:
                refused.append(error.code())
        assert refused == [grpc.StatusCode.UNAVAILABLE]
        assert not hanging.done()
        assert await server.finish() == 0
        await until(hanging.done)
        assert hanging.exception() is not None


async def test_readiness_over_http_is_the_same_server(tmp_path: Path) -> None:
    async with served(tmp_path, "double") as (server, _):
        assert (await fetch(server.port, "/readyz"))[0] == 200
