"""Where gRPC listens, its standard services, and its limits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gateway.http.listener import PortBusyError
from gateway.protos.services import MODEL_SERVICE, PREDICTION_SERVICE
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import serving_fakes, until
from tests.grpc.serving import GrpcClient, over_grpc, serving_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[GrpcClient]:
    async with serving_grpc(tmp_path, {"m": FakeSignature()}) as client:
        yield client


async def health(client: GrpcClient, service: str) -> int:
    stub = health_pb2_grpc.HealthStub(client.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    return int(answer.status)


@pytest.mark.parametrize("service", ["", PREDICTION_SERVICE, "PredictionService", MODEL_SERVICE])
async def test_health(client: GrpcClient, service: str) -> None:
    assert await health(client, service) == SERVING


async def test_health_of_a_stranger(client: GrpcClient) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(client, "stranger")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_follows_the_models(tmp_path: Path) -> None:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}) as rest, over_grpc(rest) as client:
        entry = rest.gateway.registry.models["m"]
        stub = health_pb2_grpc.HealthStub(client.channel)
        watched = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watched.read()).status == SERVING
        latest, entry.latest = entry.latest, None
        assert await health(client, "") == NOT_SERVING
        assert (await watched.read()).status == NOT_SERVING
        entry.latest = latest
        assert (await watched.read()).status == SERVING
        client.server.refuse()
        assert (await watched.read()).status == NOT_SERVING
        assert await watched.read() is grpc.aio.EOF


async def test_watching_a_stranger(client: GrpcClient) -> None:
    stub = health_pb2_grpc.HealthStub(client.channel)
    watched = stub.Watch(health_pb2.HealthCheckRequest(service="stranger"))
    assert (await watched.read()).status == UNKNOWN
    watched.cancel()


async def reflect(client: GrpcClient, **question: str) -> Any:
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**question)]))
    async for answer in call:
        return answer
    raise AssertionError("no answer")


async def services(client: GrpcClient) -> set[str]:
    answer = await reflect(client, list_services="")
    return {service.name for service in answer.list_services_response.service}


STANDARD = {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


async def test_reflection_lists_the_services(client: GrpcClient) -> None:
    assert {PREDICTION_SERVICE, MODEL_SERVICE} | STANDARD <= await services(client)


@pytest.mark.parametrize("name", [PREDICTION_SERVICE, MODEL_SERVICE, "grpc.health.v1.Health"])
async def test_reflection_describes_a_service(client: GrpcClient, name: str) -> None:
    answer = await reflect(client, file_containing_symbol=name)
    pool = DescriptorPool()
    files = map(
        FileDescriptorProto.FromString, answer.file_descriptor_response.file_descriptor_proto
    )
    waiting = {file.name: file for file in files}
    while waiting:
        # Dependencies first, as any client must add them.
        ready = [f for f in waiting.values() if not waiting.keys() & set(f.dependency)]
        for file in ready:
            pool.Add(waiting.pop(file.name))
    assert pool.FindServiceByName(name).methods


async def test_reflection_of_a_stranger(client: GrpcClient) -> None:
    answer = await reflect(client, file_containing_symbol="no.Such")
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_both_can_be_turned_off(tmp_path: Path) -> None:
    off = {"enable_grpc_healthcheck_service": False, "enable_grpc_reflection": False}
    async with serving_grpc(tmp_path, {"m": FakeSignature()}, **off) as client:
        for call in (health(client, ""), services(client)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_channel_arguments_reach_grpc(tmp_path: Path) -> None:
    argument = {"grpc_channel_arguments": "grpc.max_receive_message_length=4"}
    async with serving_grpc(tmp_path, {"m": FakeSignature()}, **argument) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.predict("m", 1)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_unix_socket(tmp_path: Path) -> None:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}) as rest:
        server = rest.gateway.make_grpc_server()
        path = tmp_path / "grpc.sock"
        server.listen_on_socket(str(path))
        await server.start()
        async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
            assert await GrpcClient(rest, channel, server, 0).predict("m", 2) == [4]
        await server.stop(0)


async def test_a_socket_that_cannot_be_made(tmp_path: Path) -> None:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}) as rest:
        server = rest.gateway.make_grpc_server()
        with pytest.raises(OSError, match="no gRPC on unix:"):
            server.listen_on_socket(str(tmp_path / "no folder" / "grpc.sock"))
        await server.stop(0)


async def test_a_port_that_is_taken(client: GrpcClient, tmp_path: Path) -> None:
    """By another gRPC server too, which would share it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        for port in (client.port, other.getsockname()[1]):
            server = client.gateway.make_grpc_server()
            with pytest.raises(PortBusyError, match=f"port {port} of 127.0.0.1 is in use"):
                await server.listen("127.0.0.1", port)
            await server.stop(0)


async def test_localhost_is_both_families(tmp_path: Path) -> None:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}) as rest:
        server = rest.gateway.make_grpc_server()
        port = await server.listen("localhost", 0)
        await server.start()
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)
        for family, *_, (host, *_) in found:
            address = f"[{host}]" if family == socket.AF_INET6 else host
            async with grpc.aio.insecure_channel(f"{address}:{port}") as channel:
                assert await GrpcClient(rest, channel, server, port).predict("m", 2) == [4]
        await server.stop(0)


async def test_a_stop_lets_running_calls_end_and_refuses_new_ones(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_grpc(tmp_path, {"m": fake}) as client:
        fake.valve.shut()
        running = asyncio.create_task(client.predict("m", 1))
        await until(lambda: len(fake.batches) == 1)
        client.server.refuse()
        for channel in (client.channel, grpc.aio.insecure_channel(f"127.0.0.1:{client.port}")):
            late = GrpcClient(client.rest, channel, client.server, client.port)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await late.predict("m", 2)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await channel.close()
        assert not running.done()
        fake.valve.open()
        assert await running == [2]
        await until(lambda: client.gateway.in_flight == 0)
        await client.server.stop()


async def test_a_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_grpc(tmp_path, {"m": fake}) as client:
        fake.valve.shut()
        stuck = asyncio.create_task(client.predict("m", 1))
        await until(lambda: len(fake.batches) == 1)
        client.server.refuse()
        await client.server.stop(0.01)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stuck
        assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
