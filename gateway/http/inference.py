"""What predict, classify and regress have in common: from the request's body to its answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from aiohttp import web

from batching import BatchingError, Inputs, Item, Outputs
from gateway.backends.base import Signature
from gateway.errors import Code, ServingError
from gateway.exchange import Api, Exchange, Observer
from gateway.http.body import read_body
from gateway.http.paths import ModelPath
from gateway.http.responses import json_bytes
from gateway.http.timing import server_timing, wants_timing
from gateway.models.registry import Registry
from gateway.models.servable import Servable, SignatureQueue
from gateway.tf_metrics import TfServingMetrics
from gateway.translation import serving_error

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

LARGE_BODY_BYTES = 64 * 1024
"""Above this a body is decoded on a thread, so that other connections get turns in between."""
LARGE_OUTPUT_VALUES = 16 * 1024
"""Above this many values an answer is encoded on a thread."""


class ParsedBody(Protocol):
    """A request before its model is known."""

    @property
    def signature_name(self) -> str: ...


BodyT = TypeVar("BodyT", bound=ParsedBody)


class InferenceApi(Protocol[BodyT]):
    """What one of the three does in its own way.

    The methods raise ServingError. They run on the event loop or, for large bodies and answers, on
    a thread.
    """

    @property
    def name(self) -> Api: ...

    @property
    def takes_examples(self) -> bool:
        """Whether its rows are tf.Examples, which are counted."""

    def parse(self, body: bytes, /) -> BodyT:
        """Check what needs no model."""

    def unknown_signature(self, name: str, /) -> ServingError:
        """The refusal of a signature that the model does not have."""

    def decode(self, body: BodyT, queue: SignatureQueue, /) -> Inputs:
        """Check whether the signature fits, then the values."""

    def encode(
        self, body: BodyT, signature: Signature, inputs: Inputs, outputs: Outputs, /
    ) -> bytes:
        """The answer's body."""


@dataclass(slots=True)
class _Call:
    """A request whose inputs are decoded."""

    api: InferenceApi[Any]
    path: ModelPath
    servable: Servable
    queue: SignatureQueue
    raw_body: bytes
    body: ParsedBody
    inputs: Inputs
    started: float
    """Second of the monotonic clock."""

    def exchange(
        self, outputs: Outputs | None, answer: bytes, error: ServingError | None
    ) -> Exchange:
        return Exchange(
            api=self.api.name,
            servable=self.servable,
            signature=self.queue.signature,
            pinned=self.path.version is not None,
            inputs=self.inputs,
            outputs=outputs,
            error=error,
            request_body=self.raw_body,
            response_body=answer,
            seconds=time.monotonic() - self.started,
        )


class InferenceHandler:
    """Decodes, lets the batcher run it, encodes."""

    def __init__(
        self,
        registry: Registry,
        apis: Mapping[str, InferenceApi[Any]],
        metrics: TfServingMetrics,
        *,
        max_body_bytes: int,
        timeout: float,
        always_timing: bool,
        observers: Sequence[Observer] = (),
    ) -> None:
        """``apis`` by verb. ``observers`` may change while the server runs; as long as there are
        none, no Exchange is made."""
        self._registry = registry
        self._apis = apis
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._timeout = timeout
        self._always_timing = always_timing
        self._observers = observers
        self._codec = ThreadPoolExecutor(1, thread_name_prefix="codec")

    async def __call__(self, request: web.BaseRequest, path: ModelPath) -> web.Response:
        """Answer a request. Raises ServingError; order of checks as TF Serving's: JSON, model,
        signature, values. The version that was found stays loaded until the answer is there."""
        started = time.monotonic()
        api = self._apis[path.verb]
        raw = await read_body(request, self._max_body_bytes, self._timeout)
        large = len(raw) > LARGE_BODY_BYTES
        body = await self._on_thread(api.parse, raw) if large else api.parse(raw)
        servable = self._registry.acquire(path.name, path.version, path.label)
        try:
            queue = servable.queues.get(body.signature_name)
            if queue is None:
                raise api.unknown_signature(body.signature_name)
            if large:
                inputs = await self._on_thread(api.decode, body, queue)
            else:
                inputs = api.decode(body, queue)
            call = _Call(api, path, servable, queue, raw, body, inputs, started)
            if self._observers:
                item, answer = await self._run_observed(call)
            else:
                item, _, answer = await self._run(call)
        finally:
            servable.release()
        response = json_bytes(answer)
        if self._always_timing or wants_timing(request):
            response.headers["Server-Timing"] = server_timing(item)
        return response

    def close(self) -> None:
        self._codec.shutdown(wait=False, cancel_futures=True)

    async def _run(self, call: _Call) -> tuple[Item, Outputs, bytes]:
        try:
            item = call.queue.submit(call.inputs, call.started + self._timeout)
            outputs = await item
        except BatchingError as error:
            refused = serving_error(error)
            call.servable.outcomes.count(refused)
            raise refused from error
        except ServingError as error:
            call.servable.outcomes.count(error)
            raise
        self._count(call, item)
        api, signature = call.api, call.queue.signature
        if _is_large(outputs):
            answer = await self._on_thread(api.encode, call.body, signature, call.inputs, outputs)
        else:
            answer = api.encode(call.body, signature, call.inputs, outputs)
        return item, outputs, answer

    def _count(self, call: _Call, item: Item) -> None:
        timing = item.timing
        assert timing is not None, "the item is answered"
        model = call.servable.name
        call.servable.outcomes.answered += 1
        self._metrics.runtime(model, call.api.name, timing.finished_at - timing.started_at)
        if call.api.takes_examples:
            self._metrics.examples(model, item.rows)

    async def _run_observed(self, call: _Call) -> tuple[Item, bytes]:
        """``_run``, told to the observers however it ends; a request that its client gave up has
        no outcome."""
        try:
            item, outputs, answer = await self._run(call)
        except Exception as error:
            self._tell(call.exchange(None, b"", _as_serving_error(error)))
            raise
        self._tell(call.exchange(outputs, answer, None))
        return item, answer

    def _tell(self, exchange: Exchange) -> None:
        for observer in self._observers:
            try:
                observer(exchange)
            except Exception:
                # An answer that is there is sent, whatever happens to those who look on.
                logger.exception("an observer failed")

    async def _on_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._codec, lambda: function(*args, **kwargs))


def _is_large(outputs: Outputs) -> bool:
    size = 0
    for output in outputs.values():
        size += output.size
    return size > LARGE_OUTPUT_VALUES


def _as_serving_error(error: Exception) -> ServingError:
    if isinstance(error, ServingError):
        return error
    return ServingError(Code.INTERNAL, "internal error")
