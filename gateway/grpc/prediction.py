"""TF Serving's PredictionService."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from batching import Inputs
from gateway.codecs.model_spec import write_spec
from gateway.codecs.predict_proto import (
    decode_inputs,
    encode_outputs,
    parse_predict,
    unknown_signature,
)
from gateway.codecs.results_json import check_method_name
from gateway.grpc.bodies import message_bodies
from gateway.grpc.calls import Calls, Rpc
from gateway.grpc.examples import ExamplesCalls
from gateway.grpc.metadata import model_metadata
from gateway.inference import Inference, Inferred, Question
from gateway.models.servable import SignatureQueue
from gateway.protos.services import PREDICTION_SERVICE
from gateway.protos.serving import PredictRequest, PredictResponse
from gateway.protos.tensors import POOL

_PREDICT_BODIES = message_bodies(PredictRequest, PredictResponse)


class PredictionService:
    """Predict, Classify, Regress, MultiInference and GetModelMetadata."""

    pool = POOL

    def __init__(
        self,
        inference: Inference,
        calls: Calls,
        *,
        tensor_content: bool = False,
        check_method_names: bool = False,
    ) -> None:
        """``tensor_content``: answer Predict with tensors as raw bytes, not in typed fields.
        ``check_method_names``: refuse signatures that were exported for another call."""
        self._inference = inference
        self._calls = calls
        self._tensor_content = tensor_content
        self._check_method_names = check_method_names
        self._examples = ExamplesCalls(inference, check_method_names=check_method_names)

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """Add the methods to ``server``; the service's name."""
        methods = {
            "Predict": self._predict,
            "Classify": self._examples.classify,
            "Regress": self._examples.regress,
            "MultiInference": self._examples.multi_inference,
            "GetModelMetadata": self._metadata,
        }
        self._calls.add_service(server, PREDICTION_SERVICE, methods)
        return [PREDICTION_SERVICE]

    async def _predict(self, request: bytes, rpc: Rpc) -> bytes:
        large = self._inference.is_large(request)
        message = await self._inference.run_codec(large, parse_predict, request)
        spec = message.spec
        rpc.model = spec.name

        def decode(queue: SignatureQueue) -> Inputs:
            if self._check_method_names:
                check_method_name(queue.signature, "predict")
            return decode_inputs(message, queue.signature, queue.optional_inputs)

        def encode(inferred: Inferred) -> bytes:
            servable, signature = inferred.servable, inferred.queue.signature
            return encode_outputs(
                inferred.outputs,
                signature,
                message.output_filter,
                write_spec(servable.name, servable.version, signature.name),
                tensor_content=self._tensor_content,
            )

        question = Question(
            api="Predict",
            kind="predict",
            name=spec.name,
            version=spec.version,
            label=spec.label,
            signature_name=spec.signature,
            unknown_signature=unknown_signature,
            decode=decode,
            encode=encode,
            started=rpc.started,
            deadline=rpc.deadline,
            body=request,
            bodies=_PREDICT_BODIES,
        )
        return (await self._inference.infer(question)).answer

    async def _metadata(self, request: bytes, rpc: Rpc) -> bytes:
        return await model_metadata(self._inference, request, rpc)
