"""Classify, Regress and MultiInference: tf.Examples in, results out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batching import Inputs, Outputs
from gateway.backends.base import Signature
from gateway.codecs.examples_proto import (
    ExamplesMessage,
    MultiMessage,
    Task,
    classification_result,
    no_such_signature,
    parse_examples,
    parse_multi_inference,
    regression_result,
)
from gateway.codecs.model_spec import Spec, write_spec
from gateway.codecs.results_json import (
    INPUTS,
    check_classify,
    check_method_name,
    check_regress,
    no_signature,
)
from gateway.codecs.tensor_proto_write import check_size, delimited
from gateway.errors import ServingError
from gateway.exchange import Api, BodyForm
from gateway.grpc.bodies import message_bodies
from gateway.grpc.calls import Rpc
from gateway.inference import Inference, Inferred, Question
from gateway.models.servable import Servable, SignatureQueue
from gateway.protos.serving import (
    ClassificationRequest,
    ClassificationResponse,
    InferenceResult,
    MultiInferenceRequest,
    RegressionRequest,
    RegressionResponse,
)

_MULTI_BODIES = message_bodies(MultiInferenceRequest, InferenceResult)
_BODIES: dict[Api, BodyForm] = {
    "classify": message_bodies(ClassificationRequest, ClassificationResponse),
    "regress": message_bodies(RegressionRequest, RegressionResponse),
}
_CHECKS: dict[Api, Callable[[Signature], None]] = {
    "classify": check_classify,
    "regress": check_regress,
}
_RESULTS: dict[Api, Callable[[Outputs, int], Any]] = {
    "classify": classification_result,
    "regress": regression_result,
}
_FIELDS: dict[Api, int] = {"classify": 2, "regress": 3}
"""Of an InferenceResult, whose model_spec is 1."""


class ExamplesCalls:
    """Answers to the calls that take an Input."""

    def __init__(self, inference: Inference, *, check_method_names: bool = False) -> None:
        """``check_method_names`` as for ``PredictionService``."""
        self._inference = inference
        self._check_method_names = check_method_names

    async def classify(self, request: bytes, rpc: Rpc) -> bytes:
        return await self._single("Classify", "classify", request, rpc)

    async def regress(self, request: bytes, rpc: Rpc) -> bytes:
        return await self._single("Regress", "regress", request, rpc)

    async def multi_inference(self, request: bytes, rpc: Rpc) -> bytes:
        """Several signatures of one version about the same examples. Each has a run of its own,
        which it may share with other requests."""
        large = self._inference.is_large(request)
        message = await self._inference.run_codec(large, parse_multi_inference, request)
        first = message.tasks[0].spec
        rpc.model = first.name
        servable = self._inference.registry.acquire(first.name, first.version, first.label)
        try:
            for task in message.tasks:
                self._check_task(servable, task)
            return await self._all_tasks(servable, message, request, rpc)
        finally:
            servable.release()

    async def _single(self, api: str, kind: Api, request: bytes, rpc: Rpc) -> bytes:
        large = self._inference.is_large(request)
        message: ExamplesMessage = await self._inference.run_codec(large, parse_examples, request)
        rpc.model = message.spec.name

        def decode(queue: SignatureQueue) -> Inputs:
            self._check(kind, queue.signature)
            return {INPUTS: message.examples()}

        question = _question(
            api,
            kind,
            message.spec,
            request,
            rpc,
            unknown_signature=no_signature,
            decode=decode,
            encode=partial(_encode_response, kind, message.spec),
            bodies=_BODIES[kind],
        )
        return (await self._inference.infer(question)).answer

    async def _all_tasks(
        self, servable: Servable, message: MultiMessage, request: bytes, rpc: Rpc
    ) -> bytes:
        large = self._inference.is_large(request)
        examples = await self._inference.run_codec(large, message.examples)
        runs = [
            asyncio.create_task(
                self._inference.infer_on(servable, _task_question(task, examples, request, rpc))
            )
            for task in message.tasks
        ]
        try:
            done = await asyncio.gather(*runs)
        except BaseException:
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)
            raise
        check_size(sum(len(one.answer) for one in done), "the answer")
        return b"".join(delimited(1, one.answer) for one in done)

    def _check_task(self, servable: Servable, task: Task) -> None:
        queue = servable.queues.get(task.spec.signature)
        if queue is None:
            raise no_such_signature(task.spec.signature)
        self._check(task.kind, queue.signature)

    def _check(self, kind: Api, signature: Signature) -> None:
        if self._check_method_names:
            check_method_name(signature, kind)
        _CHECKS[kind](signature)


def _task_question(task: Task, examples: NDArray[Any], request: bytes, rpc: Rpc) -> Question:
    return _question(
        "MultiInference",
        task.kind,
        task.spec,
        request,
        rpc,
        unknown_signature=no_such_signature,
        decode=lambda queue: {INPUTS: examples},
        encode=partial(_encode_task, task.kind, task.spec),
        bodies=_MULTI_BODIES,
    )


def _question(
    api: str,
    kind: Api,
    spec: Spec,
    request: bytes,
    rpc: Rpc,
    *,
    unknown_signature: Callable[[str], ServingError],
    decode: Callable[[SignatureQueue], Inputs],
    encode: Callable[[Inferred], bytes],
    bodies: BodyForm,
) -> Question:
    return Question(
        api=api,
        kind=kind,
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
        bodies=bodies,
    )


def _encode_response(kind: Api, spec: Spec, inferred: Inferred) -> bytes:
    """A ClassificationResponse or RegressionResponse: result and model_spec."""
    return delimited(1, _result(kind, inferred)) + delimited(2, _answer_spec(spec, inferred))


def _encode_task(kind: Api, spec: Spec, inferred: Inferred) -> bytes:
    """An InferenceResult."""
    result = delimited(_FIELDS[kind], _result(kind, inferred))
    return delimited(1, _answer_spec(spec, inferred)) + result


def _result(kind: Api, inferred: Inferred) -> bytes:
    n = np.shape(inferred.inputs[INPUTS])[0]
    data: bytes = _RESULTS[kind](inferred.outputs, n).SerializeToString()
    return data


def _answer_spec(spec: Spec, inferred: Inferred) -> bytes:
    """The signature's name stays as it was sent, empty too (TF Serving)."""
    return write_spec(inferred.servable.name, inferred.servable.version, spec.signature_name)
