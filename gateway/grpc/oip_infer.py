"""ModelInfer: from a message to the answer's bytes."""

from __future__ import annotations

from functools import partial

from gateway.grpc.bodies import message_bodies
from gateway.grpc.calls import Rpc
from gateway.grpc.oip_requests import infer_request, parse_infer
from gateway.grpc.oip_responses import encode_response
from gateway.oip.inference import Arrival
from gateway.oip.messages import Parameters
from gateway.oip.service import OipService
from gateway.protos.triton.grpc_service_pb2 import ModelInferRequest, ModelInferResponse

API = "ModelInfer"

_BODIES = message_bodies(ModelInferRequest, ModelInferResponse)


class ModelInfer:
    """Answers requests for inference, each by itself. Its methods raise ServingError."""

    def __init__(self, oip: OipService) -> None:
        self._oip = oip
        self._inference = oip.inference

    async def __call__(self, data: bytes, rpc: Rpc) -> bytes:
        """A serialized ModelInferResponse to a serialized ModelInferRequest."""
        return await self.answer(await self.parse(data, rpc), data, rpc)

    async def parse(self, data: bytes, rpc: Rpc) -> ModelInferRequest:
        """The message, whose model ``rpc`` is told."""
        large = self._inference.is_large(data)
        message = await self._inference.run_codec(large, parse_infer, data)
        rpc.model = message.model_name
        return message

    async def answer(
        self,
        message: ModelInferRequest,
        data: bytes,
        rpc: Rpc,
        *,
        api: str = API,
        parameters: Parameters | None = None,
    ) -> bytes:
        """The answer to ``message``, which was ``data`` on the wire, with ``parameters`` added."""
        large = self._inference.is_large(data)
        request = await self._inference.run_codec(large, infer_request, message)
        arrival = Arrival(
            encode=partial(encode_response, parameters=parameters)
            if parameters
            else encode_response,
            started=rpc.started,
            deadline=rpc.deadline,
            api=api,
            body=data,
            bodies=_BODIES,
        )
        return await self._oip.infer(request, arrival)
