"""One stream of ModelStreamInfer, message by message."""

from __future__ import annotations

from typing import Any

import grpc
import tritonclient.grpc as sync
from tritonclient.grpc import service_pb2

from tests.oip_grpc.serving import SERVICE, Door
from tests.oip_grpc.tensors import message_of

Reply = Any
"""A ModelStreamInferResponse."""


def request(*values: float, request_id: str = "") -> bytes:
    message = message_of("FP32", [len(values)], fp32_contents=values)
    message.id = request_id
    return message.SerializeToString()


class Stream:
    """One stream, message by message."""

    def __init__(self, door: Door, **options: Any) -> None:
        method = door.channel.stream_stream(f"{SERVICE}/ModelStreamInfer")
        self.call = method(**options)

    async def send(self, *requests: bytes) -> None:
        for data in requests:
            await self.call.write(data)

    async def reply(self) -> Reply:
        data = await self.call.read()
        assert data is not grpc.aio.EOF, "the stream ended"
        return service_pb2.ModelStreamInferResponse.FromString(data)

    async def replies(self, count: int) -> list[Reply]:
        return [await self.reply() for _ in range(count)]

    async def close(self) -> None:
        """Send no more, and expect nothing more."""
        await self.call.done_writing()
        assert await self.call.read() is grpc.aio.EOF


def values(reply: Reply) -> list[float]:
    assert reply.error_message == ""
    found: list[float] = sync.InferResult(reply.infer_response).as_numpy("y").tolist()
    return found
