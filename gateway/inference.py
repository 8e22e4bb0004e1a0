"""One inference request, whichever protocol brought it: from its question to its answer.

REST has the same rules in ``http.call``, in steps that its hot path can take in callbacks; every
other door awaits ``Inference.infer``.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from batching import BatchingError, Inputs, Item, Outputs
from gateway.errors import Code, ServingError
from gateway.exchange import JSON_BODIES, Api, BodyForm, Exchange, Observer, tell
from gateway.http.large import LARGE_BODY_BYTES, is_large
from gateway.metrics import Metrics
from gateway.models.registry import Registry
from gateway.models.servable import Servable, SignatureQueue
from gateway.tf_metrics import TfServingMetrics
from gateway.translation import serving_error

T = TypeVar("T")

Entrypoint = Literal["REST", "GRPC"]


@dataclass(slots=True)
class Inferred:
    """A request with its outputs, and in the end its answer."""

    servable: Servable
    queue: SignatureQueue
    inputs: Inputs
    item: Item
    outputs: Outputs
    answer: bytes = b""
    """As ``Question.encode`` made it."""


@dataclass(slots=True, kw_only=True)
class Question:
    """What a request asks. Its functions raise ServingError; they run on the event loop, or on the
    codec's thread when there is much to do."""

    api: str
    """The call's name in metrics, as its protocol spells it: ``Predict``, ``ModelInfer``."""
    kind: Api
    """What observers take it for."""
    name: str
    version: int | None = None
    label: str | None = None
    signature_name: str = "serving_default"
    unknown_signature: Callable[[str], ServingError]
    """The refusal of a signature that the model does not have."""
    decode: Callable[[SignatureQueue], Inputs]
    """Checks whether the signature fits, then the values."""
    encode: Callable[[Inferred], bytes]
    """The answer on the wire."""
    started: float
    """Second of the monotonic clock."""
    deadline: float = math.inf
    """Second of the monotonic clock; then it fails with DEADLINE_EXCEEDED wherever it is."""
    queue_timeout: float = math.inf
    """Seconds that it may wait for its run; then it fails with UNAVAILABLE. A run takes its
    time."""
    priority: int = 0
    """Level of the model's queue, 1 the highest; 0 leaves the choice to the model."""
    body: bytes = b""
    """The request on the wire, for observers; a large one is decoded on a thread."""
    bodies: BodyForm = JSON_BODIES


class Inference:
    """Asks servables and counts what came of it. Lives on the event loop."""

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics,
        tf_metrics: TfServingMetrics,
        codec: Executor,
        observers: Sequence[Observer],
    ) -> None:
        """``codec`` decodes and encodes what is large. ``observers`` may change while the server
        runs; as long as there are none, no Exchange is made."""
        self.registry = registry
        self._metrics = metrics
        self._tf_metrics = tf_metrics
        self._codec = codec
        self._observers = observers

    async def infer(self, question: Question) -> Inferred:
        """Find the version, decode, wait for the run, encode. Raises ServingError.

        Cancelling the task that awaits it takes the request out of the queue at once. The version
        stays loaded until the answer is there.
        """
        servable = self.registry.acquire(question.name, question.version, question.label)
        try:
            return await self.infer_on(servable, question)
        finally:
            servable.release()

    async def infer_on(self, servable: Servable, question: Question) -> Inferred:
        """``infer`` on a version that the caller holds a lease on: several questions of one call
        get the same version."""
        queue = servable.queues.get(question.signature_name)
        if queue is None:
            raise question.unknown_signature(question.signature_name)
        if self.is_large(question.body):
            inputs = await self.run_codec(True, question.decode, queue)
        else:
            inputs = question.decode(queue)
        try:
            inferred = await self._run(servable, queue, inputs, question)
            if is_large(inferred.outputs):
                inferred.answer = await self.run_codec(True, question.encode, inferred)
            else:
                inferred.answer = question.encode(inferred)
        except Exception as error:
            self._tell(question, servable, queue, inputs, error=error)
            raise
        self._tell(question, servable, queue, inputs, inferred=inferred)
        return inferred

    @staticmethod
    def is_large(body: bytes) -> bool:
        """Whether a request is for the codec's thread."""
        return len(body) > LARGE_BODY_BYTES

    async def run_codec(self, large: bool, function: Callable[..., T], *args: object) -> T:
        """Call ``function``, on the codec's thread if there is much to do."""
        if not large:
            return function(*args)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._codec, partial(function, *args))

    def count(
        self,
        api: str,
        name: str,
        failure: Code | None,
        seconds: float,
        entrypoint: Entrypoint = "GRPC",
    ) -> None:
        """A call is over; ``seconds`` since it began, ``failure`` None when it was answered. Count
        every call once, those that reach no model too (``name`` as it was asked for)."""
        known = name if name in self.registry.models else ""
        code = failure or Code.OK
        self._tf_metrics.request(known, code.name, api, seconds, entrypoint)
        status = code.http_status if entrypoint == "REST" else code.name
        self._metrics.requests(known, api).record(status, seconds)

    async def _run(
        self, servable: Servable, queue: SignatureQueue, inputs: Inputs, question: Question
    ) -> Inferred:
        try:
            outputs, item = await self._outputs(queue, inputs, question)
        except (BatchingError, ServingError) as error:
            refused = serving_error(error) if isinstance(error, BatchingError) else error
            servable.outcomes.count(refused)
            if refused is error:
                raise
            raise refused from error
        self._answered(servable, question, item)
        return Inferred(servable, queue, inputs, item, outputs)

    async def _outputs(
        self, queue: SignatureQueue, inputs: Inputs, question: Question
    ) -> tuple[Outputs, Item]:
        timeout = question.queue_timeout
        if queue.batcher.policy.has_levels:
            asked = timeout if timeout != math.inf else None
            item = queue.submit(
                inputs, question.deadline, priority=question.priority, queue_timeout=asked
            )
            return await item, item
        # A queue without rules keeps no time-outs, which would cost every request.
        entry = self.registry.models.get(question.name)
        if entry is not None and not entry.settings.allow_timeout_override:
            timeout = math.inf
        item = queue.submit(inputs, question.deadline)
        return await _within_queue_timeout(item, timeout), item

    def _answered(self, servable: Servable, question: Question, item: Item) -> None:
        timing = item.timing
        assert timing is not None, "the item is answered"
        servable.outcomes.answered += 1
        runtimes = self._tf_metrics.runtimes(servable.name, question.api)
        runtimes.observe(timing.finished_at - timing.started_at)
        if question.kind != "predict":
            self._tf_metrics.examples(servable.name, item.rows)

    def _tell(
        self,
        question: Question,
        servable: Servable,
        queue: SignatureQueue,
        inputs: Inputs,
        *,
        inferred: Inferred | None = None,
        error: Exception | None = None,
    ) -> None:
        """A request that its client gave up has no outcome: nobody is told of it."""
        if not self._observers:
            return
        if error is not None and not isinstance(error, ServingError):
            error = ServingError(Code.INTERNAL, "internal error")
        exchange = Exchange(
            api=question.kind,
            servable=servable,
            signature=queue.signature,
            pinned=question.version is not None,
            inputs=inputs,
            outputs=inferred.outputs if inferred is not None else None,
            error=error,
            request_body=question.body,
            response_body=inferred.answer if inferred is not None else b"",
            seconds=time.monotonic() - question.started,
            bodies=question.bodies,
        )
        tell(self._observers, exchange)


async def _within_queue_timeout(item: Item, seconds: float) -> Outputs:
    """The outputs; raises ServingError (UNAVAILABLE) when none of its rows ran by then."""
    if seconds == math.inf:
        return await item
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = item.queued and not item.taken and item.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, expire)
    try:
        return await item
    except asyncio.CancelledError:
        if not expired:
            raise
        raise ServingError(Code.UNAVAILABLE, "Request timeout expired") from None
    finally:
        timer.cancel()
