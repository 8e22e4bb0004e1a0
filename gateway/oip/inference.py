"""One inference request of the protocol, from its tensors to those of the answer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from batching import Inputs, QueueFull, QueueTimeout
from gateway.errors import ServingError, invalid_argument
from gateway.exchange import JSON_BODIES, BodyForm
from gateway.inference import Inference, Inferred, Question
from gateway.models.servable import Servable, SignatureQueue
from gateway.oip.binary import read_tensor, tensor_bytes
from gateway.oip.checks import checked_inputs, checked_outputs
from gateway.oip.classification import classify
from gateway.oip.datatypes import DATATYPES
from gateway.oip.interface import ModelInterface, TensorInterface, reshaped
from gateway.oip.messages import (
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    RequestedOutput,
)
from gateway.oip.models import Models, parse_version
from gateway.oip.options import RequestOptions, parse_options
from gateway.oip.shared_memory import Region, SharedMemory
from gateway.oip.statistics import Statistics
from gateway.oip.trace import Tracer

Encode = Callable[[InferResponse], bytes]
"""The answer on the wire. Raises ServingError. Runs on a thread when the answer is large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a transport knows of a request beside its content."""

    encode: Encode
    started: float
    """Second of the monotonic clock."""
    deadline: float = math.inf
    """Second of the monotonic clock."""
    api: str = "ModelInfer"
    """The call's name in metrics."""
    body: bytes = b""
    """The request on the wire, for those who look on."""
    bodies: BodyForm = JSON_BODIES


class InferCalls:
    """Answers inference requests. Lives on the event loop."""

    def __init__(
        self,
        inference: Inference,
        models: Models,
        memory: SharedMemory,
        statistics: Statistics,
        tracer: Tracer,
        max_input_bytes: int,
    ) -> None:
        """``max_input_bytes`` bounds what one request takes out of shared memory."""
        self._inference = inference
        self._models = models
        self._memory = memory
        self._statistics = statistics
        self._tracer = tracer
        self._max_input_bytes = max_input_bytes

    async def infer(self, request: InferRequest, arrival: Arrival) -> bytes:
        """The encoded answer. Raises ServingError. Cancelling the task that awaits it takes the
        request out of the queue."""
        servable = self._models.resolve(request.model_name, request.model_version)
        servable.lease()
        try:
            inferred = await self._answered(request, arrival, servable)
        except ServingError as error:
            raise _with_id(error, request.id) from error
        finally:
            servable.release()
        self._note(request, arrival, inferred)
        return inferred.answer

    async def _answered(
        self, request: InferRequest, arrival: Arrival, servable: Servable
    ) -> Inferred:
        options = parse_options(request.parameters)
        queue = self._models.queue(servable, options.signature_name)
        interface = self._models.interface(queue, self._models.settings(servable.name))
        outputs = checked_outputs(servable.name, request.outputs, interface)
        regions = {
            output.name: self._memory.find(output.shared_memory.region)
            for output in outputs
            if output.shared_memory is not None
        }
        inputs = await self._with_shared_memory(request.inputs)
        answer = _Answer(request, interface, outputs, regions)

        def decode(queue: SignatureQueue) -> Inputs:
            most = queue.batcher.policy.max_item_rows
            return checked_inputs(servable.name, inputs, interface, most)

        def encode(inferred: Inferred) -> bytes:
            return arrival.encode(answer.response(inferred))

        question = _question(request, options, arrival, queue, decode, encode)
        return await self._inference.infer_on(servable, question)

    async def _with_shared_memory(self, inputs: Sequence[InferInput]) -> Sequence[InferInput]:
        """The inputs, each with its array."""
        shared = [one.shared_memory for one in inputs if one.shared_memory is not None]
        if not shared:
            return inputs
        size = sum(where.byte_size for where in shared)
        if size > self._max_input_bytes:
            raise invalid_argument(
                f"the inputs have {size} bytes in shared memory; at most {self._max_input_bytes}"
                " can be in one request"
            )
        regions = {where.region: self._memory.find(where.region) for where in shared}
        return await asyncio.to_thread(lambda: [_read(one, regions) for one in inputs])

    def _note(self, request: InferRequest, arrival: Arrival, inferred: Inferred) -> None:
        servable, timing = inferred.servable, inferred.item.timing
        assert timing is not None, "the item is answered"
        statistics = self._statistics.of(servable.name, str(servable.version))
        statistics.answered(time.monotonic() - timing.finished_at)
        self._tracer.trace(
            servable.name, servable.version, request.id, arrival.started, inferred.item
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    """How one request wants its answer."""

    request: InferRequest
    interface: ModelInterface
    outputs: Sequence[RequestedOutput]
    regions: dict[str, Region]

    def response(self, inferred: Inferred) -> InferResponse:
        """Outputs that go to shared memory are there when this returns."""
        outputs = [self._output(output, inferred.outputs[output.name]) for output in self.outputs]
        servable = inferred.servable
        return InferResponse(servable.name, str(servable.version), self.request.id, outputs)

    def _output(self, wanted: RequestedOutput, array: NDArray[Any]) -> InferOutput:
        tensor = self.interface.outputs[wanted.name]
        datatype = tensor.datatype
        assert datatype is not None, "it was checked"
        array = _as_client_sees(array, tensor, batched=self.interface.batched)
        if wanted.classes:
            array = classify(
                array,
                datatype,
                wanted.classes,
                wanted.name,
                labels=tensor.labels,
                batched=self.interface.batched,
            )
            datatype = DATATYPES["BYTES"]
        if wanted.shared_memory is None:
            return InferOutput(wanted.name, datatype.name, array.shape, array, binary=wanted.binary)
        data = tensor_bytes(array, datatype)
        self.regions[wanted.name].write(wanted.shared_memory, data, f"output '{wanted.name}'")
        parameters = wanted.shared_memory.parameters(len(data))
        return InferOutput(wanted.name, datatype.name, array.shape, None, parameters)


def _question(
    request: InferRequest,
    options: RequestOptions,
    arrival: Arrival,
    queue: SignatureQueue,
    decode: Callable[[SignatureQueue], Inputs],
    encode: Callable[[Inferred], bytes],
) -> Question:
    return Question(
        api=arrival.api,
        kind="predict",
        name=request.model_name,
        version=parse_version(request.model_version),
        signature_name=queue.signature.name,
        unknown_signature=lambda name: invalid_argument(f"there is no signature '{name}'"),
        decode=decode,
        encode=encode,
        started=arrival.started,
        deadline=arrival.deadline,
        queue_timeout=options.timeout,
        priority=options.priority,
        body=arrival.body,
        bodies=arrival.bodies,
    )


def _read(tensor: InferInput, regions: dict[str, Region]) -> InferInput:
    where = tensor.shared_memory
    if where is None:
        return tensor
    what = f"input '{tensor.name[:256]}'"
    data = regions[where.region].read(where, what)
    array = read_tensor(data, DATATYPES[tensor.datatype], tensor.shape, what)
    return replace(tensor, array=array)


def _as_client_sees(array: NDArray[Any], tensor: TensorInterface, *, batched: bool) -> NDArray[Any]:
    if tensor.model_dims is None:
        return array
    dims = tensor.shape[1:] if batched else tensor.shape
    shape = reshaped(array.shape, tensor.model_dims, dims, batched=batched)
    return array.reshape(shape) if math.prod(shape) == array.size else array


def _with_id(error: ServingError, request_id: str) -> ServingError:
    """Triton's form of the errors of an inference request."""
    message = error.message
    cause = error.__cause__
    if isinstance(cause, QueueFull) and not isinstance(cause, QueueTimeout):
        message = f"Exceeds maximum queue size: {message}"
    prefix = f"[request id: {request_id or '<id_unknown>'}] "
    return ServingError(error.code, prefix + message, retry_after=error.retry_after)
