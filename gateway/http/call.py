"""The steps of one inference request that neither wait nor touch a connection.

aiohttp's handler awaits between them, the hot path goes on in callbacks; the rules are here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from batching import BatchingError, Inputs, Item, Outputs, QueueFull, RunTiming
from gateway.backends.base import Signature
from gateway.errors import Code, ServingError
from gateway.exchange import Api, Exchange, Observer
from gateway.histogram import Histogram
from gateway.http.overload import Overload
from gateway.http.paths import ModelPath
from gateway.models.registry import Registry
from gateway.models.servable import Servable, SignatureQueue
from gateway.tf_metrics import TfServingMetrics
from gateway.translation import serving_error

logger = logging.getLogger(__name__)

_NOTHING: Inputs = {}


class ParsedBody(Protocol):
    """A request before its model is known."""

    @property
    def signature_name(self) -> str: ...


BodyT = TypeVar("BodyT", bound=ParsedBody)


class InferenceApi(Protocol[BodyT]):
    """What predict, classify and regress do each in their own way.

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
class Call:
    """A request that has its version. It holds a lease on the servable."""

    api: InferenceApi[Any]
    path: ModelPath
    servable: Servable
    queue: SignatureQueue
    raw_body: bytes
    body: ParsedBody
    started: float
    """Second of the monotonic clock."""
    inputs: Inputs
    """Empty until they are decoded."""

    def encode(self, outputs: Outputs) -> bytes:
        """The answer's body, see ``InferenceApi.encode``."""
        return self.api.encode(self.body, self.queue.signature, self.inputs, outputs)


class Counted(Protocol):
    """What counting an outcome needs of a call."""

    @property
    def api(self) -> InferenceApi[Any]: ...

    @property
    def path(self) -> ModelPath: ...

    @property
    def servable(self) -> Servable: ...

    @property
    def queue(self) -> SignatureQueue: ...


class Calls:
    """Begins, submits and counts calls. Lives on the event loop."""

    def __init__(
        self,
        registry: Registry,
        metrics: TfServingMetrics,
        timeout: float,
        observers: Sequence[Observer],
    ) -> None:
        """``timeout`` in seconds, from a call's start. ``observers`` may change while the server
        runs; as long as there are none, no Exchange is made."""
        self._registry = registry
        self._metrics = metrics
        self.timeout = timeout
        self.observers = observers
        self.overload = Overload(registry)
        self._runtimes: dict[tuple[str, str], Histogram] = {}

    def open(
        self, api: InferenceApi[Any], path: ModelPath, raw_body: bytes, started: float
    ) -> Call:
        """A call with its inputs, all on the event loop. See ``begin``."""
        body = api.parse(raw_body)
        call = self.begin(api, path, raw_body, body, started)
        try:
            call.inputs = api.decode(body, call.queue)
        except BaseException:
            call.servable.release()
            raise
        return call

    def begin(
        self,
        api: InferenceApi[Any],
        path: ModelPath,
        raw_body: bytes,
        body: ParsedBody,
        started: float,
    ) -> Call:
        """Find the version and the signature that a parsed request means, and lease the version:
        whoever calls gives ``call.servable`` back. Raises ServingError, without a lease."""
        servable = self._registry.acquire(path.name, path.version, path.label)
        queue = servable.queues.get(body.signature_name)
        if queue is None:
            servable.release()
            raise api.unknown_signature(body.signature_name)
        return Call(api, path, servable, queue, raw_body, body, started, _NOTHING)

    def submit(self, call: Call, done: Callable[[Item], None] | None = None) -> Item:
        """Queue the call's inputs; ``done`` as for ``Batcher.submit``. Raises BatchingError, which
        ``failed`` is there for."""
        deadline = call.started + self.timeout
        return call.queue.batcher.submit(call.inputs, deadline=deadline, done=done)

    def refusal(self, path: ModelPath, signature: str | None = None) -> ServingError | None:
        """What a request would be told that has not been looked at, if it is sure to be refused;
        see ``Overload.refusal``. It is counted then."""
        # Observers want to see what a refused request says.
        return None if self.observers else self.overload.refusal(path, signature)

    def answered(self, call: Counted, item: Item) -> None:
        """Count a call whose item has its outputs."""
        timing = item.timing
        assert timing is not None, "the item is answered"
        servable, api = call.servable, call.api
        servable.outcomes.answered += 1
        self._runtime(call).observe(timing.finished_at - timing.started_at)
        if api.takes_examples:
            self._metrics.examples(servable.name, item.rows)

    def answered_together(self, call: Counted, timing: RunTiming, number: int) -> None:
        """Count predict calls that are like this one and were answered by one run."""
        call.servable.outcomes.answered += number
        seconds = timing.finished_at - timing.started_at
        self._runtime(call).observe_all([seconds] * number)

    def _runtime(self, call: Counted) -> Histogram:
        key = call.servable.name, call.api.name
        found = self._runtimes.get(key)
        if found is None:
            found = self._runtimes[key] = self._metrics.runtimes(*key)
        return found

    def failed(self, call: Counted, error: BatchingError | ServingError) -> ServingError:
        """Count a call whose item was refused or failed; what to tell its client of the error."""
        if isinstance(error, QueueFull):
            self.overload.note(call.path, call.servable, call.queue, error)
        refused = serving_error(error) if isinstance(error, BatchingError) else error
        call.servable.outcomes.count(refused)
        return refused

    def tell_answer(self, call: Call, outputs: Outputs, answer: bytes) -> None:
        """Show the observers a call with its answer."""
        if self.observers:
            self._tell(call, outputs, answer, None)

    def tell_failure(self, call: Call, error: BaseException) -> None:
        """Show the observers a call that got an error for its answer. One that its client gave up
        has no outcome: do not tell of it."""
        if self.observers:
            known = error if isinstance(error, ServingError) else None
            self._tell(call, None, b"", known or ServingError(Code.INTERNAL, "internal error"))

    def _tell(
        self, call: Call, outputs: Outputs | None, answer: bytes, error: ServingError | None
    ) -> None:
        exchange = Exchange(
            api=call.api.name,
            servable=call.servable,
            signature=call.queue.signature,
            pinned=call.path.version is not None,
            inputs=call.inputs,
            outputs=outputs,
            error=error,
            request_body=call.raw_body,
            response_body=answer,
            seconds=time.monotonic() - call.started,
        )
        for observer in self.observers:
            try:
                observer(exchange)
            except Exception:
                # An answer that is there is sent, whatever happens to those who look on.
                logger.exception("an observer failed")
