"""The asyncio shell around the queue: submit, seal on demand, run off the loop, complete futures.

Guarantees, whatever the function, the callers or this module's own code do:
an item gets exactly one outcome; a row runs in at most one batch (re-runs of a failed batch and
``isolate`` aside); the list that was run is the list that is answered; no item's failure,
cancellation or deadline changes another item's answer.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Hashable, Mapping
from types import TracebackType
from typing import Any, Self

from numpy.typing import DTypeLike

from batching.admission import Backlog, predicted_wait, refusal
from batching.answers import Answers
from batching.clock import Clock, LoopClock
from batching.compatibility import describe
from batching.errors import (
    BatchingError,
    Closed,
    DeadlineExceeded,
    ItemTooLarge,
    QueueFull,
    QueueTimeout,
)
from batching.executor import Job
from batching.isolation import RerunBudget
from batching.item import Inputs, Item, Outputs
from batching.observe import (
    BatcherStatistics,
    BatchReleased,
    DropReason,
    Observer,
    ignore,
)
from batching.packed import PackedInputs
from batching.policy import BatchPolicy
from batching.pool import DevicePool
from batching.runner import BatchJob, RunFunction
from batching.speeds import Speeds
from batching.tally import Tally
from batching.tensors import Assembler
from batching.turns import Turns
from batching.wakeup import Wakeup

logger = logging.getLogger(__name__)


class Batcher:
    """Collects requests for one function and runs them together.

    ``run`` takes inputs by name, axis 0 of each counting rows, and returns outputs by name with
    the same number of rows. It is called on an executor of ``pool``, several at once when the pool
    has several. ``run_on`` overrides it by executor name.

    Must be made, used and closed on one running event loop.
    """

    def __init__(
        self,
        run: RunFunction,
        pool: DevicePool,
        policy: BatchPolicy | None = None,
        *,
        name: str = "batcher",
        executors: tuple[str, ...] = (),
        run_on: Mapping[str, RunFunction] | None = None,
        dtypes: Mapping[str, DTypeLike] | None = None,
        observer: Observer = ignore,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.policy = policy or BatchPolicy()
        self._loop = asyncio.get_running_loop()
        self._clock = clock or LoopClock(self._loop)
        self._now = self._clock.now
        self._run = run
        self._run_on = dict(run_on or {})
        self._assembler = Assembler(self.policy, dtypes)
        self._budget = RerunBudget(self.policy.rerun_seconds_per_minute)
        self._turns = Turns(self.policy)
        self._in_turn = not self._turns.plain
        self._queue = self._turns.queue
        self._running: set[BatchJob] = set()
        self._tally = Tally()
        self._answers = Answers(self.name, self._queue, self._tally, observer, self._now)
        self._pool = pool
        self._seat = pool.join(self, executors)
        self._speeds = Speeds(self.policy, self._seat.allowed)
        self.latency = self._speeds.latency
        """By rows, of all executors."""
        self._wakeup = Wakeup(self._clock, self._tick)
        self._discard = self._cancelled
        self._takes_packed = self.policy.padding is None
        self._most_rows = self.policy.max_item_rows
        # Up to so many rows in the queue nothing can speak against an item (without a deadline).
        self._batch_rows = self._speeds.batch_rows
        self._unbounded = self.policy.queue_budget == math.inf
        self._sure_rows, self._sure_seconds = self._batch_rows, 0.0
        """Up to so many rows in the queue a request with at least so much time left is admitted."""
        self.refusing: QueueFull | None = None
        """The last refusal of a single row, for as long as another row would get the same."""
        self._refusing_for = DropReason.FULL
        self._draining = False
        self._closed = False
        self._empty: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else "draining" if self._draining else "open"
        return f"<Batcher {self.name} {state} {self._queue!r} running={len(self._running)}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.drain()
        finally:
            self.close()

    def submit(
        self,
        inputs: Inputs,
        *,
        deadline: float = math.inf,
        rows: int = 0,
        key: Hashable = None,
        done: Callable[[Item], None] | None = None,
        priority: int = 0,
        queue_timeout: float | None = None,
    ) -> Item:
        """Let a request wait for the next batch. Await the item for its outputs.

        With ``done`` there is no future to await, which costs a third: ``done(item)`` is called
        once on the event loop when the item has its outcome, unless that is that it was cancelled.
        It must be quick, since the others of the batch are told after it; it may submit and cancel.

        ``inputs`` are arrays (or lists of rows) by name, or PackedInputs, which cost the least;
        they must not be changed until the item is done. ``deadline`` is a second of the batcher's
        clock (``time.monotonic()``); then the item fails with DeadlineExceeded wherever it is. Give
        ``rows`` and ``key`` to skip looking at the inputs: equal keys then promise inputs that
        stack; not for padded inputs. ``priority`` is a level of the policy, 1 the highest; 0, or
        one that there is not, takes the default. ``queue_timeout`` (seconds) shortens the level's,
        where the policy lets it.

        Raises QueueFull, ItemTooLarge, IncompatibleItem, DeadlineExceeded (already past) or Closed.
        The item itself fails with what the function raised for it alone, BatchFailed,
        DeadlineExceeded, QueueTimeout or Closed.
        """
        now = self._now()
        length = 1
        if type(inputs) is PackedInputs and self._takes_packed:
            rows, key = inputs.rows, inputs.key
        elif key is None:
            inputs = self._assembler.as_arrays(inputs)
            rows, key, length = describe(inputs, self.policy)
        elif rows < 1:
            raise ValueError("give the number of rows along with the key")
        if self._draining or deadline <= now or rows > self._most_rows:
            raise self._refusal(rows, deadline, now)
        queue = self._queue
        if queue.rows + rows > self._sure_rows or deadline - now < self._sure_seconds:
            self._admit(rows, deadline - now)
        future = self._loop.create_future() if done is None else None
        item = Item(future, done, inputs, rows, key, length, now, deadline, self._discard)
        if self._in_turn:
            self._enter(item, priority, queue_timeout)
        queue.offer(item)
        self._tally.submitted += 1
        seat = self._seat
        if seat.spared or not seat.waiting:
            self._pool.wake(seat, now)
        if deadline < self._wakeup.at:
            self._wakeup.arm(deadline)
        return item

    def refuse_again(self) -> None:
        """Count a request that the caller turned away because of ``refusing``."""
        assert self.refusing is not None, "nothing is refused"
        self._answers.refused(self._refusing_for, 1)

    def statistics(self) -> BatcherStatistics:
        """A snapshot of counts and sizes."""
        return self._tally.snapshot(self._queue, len(self._running))

    async def drain(self) -> None:
        """Refuse new items and wait until every present one has its answer.

        The batch timeout no longer applies. Waits as long as a device takes: bound it with
        ``asyncio.timeout`` and ``close`` what is left.
        """
        self._draining = True
        if self._queue.rows:
            self._pool.wake(self._seat, self._now())
        while self._queue.rows or self._running:
            if self._empty is None:
                self._empty = self._loop.create_future()
            await asyncio.shield(self._empty)

    def close(self) -> None:
        """Fail everything that has no answer yet with Closed. Running batches end unheard."""
        if self._closed:
            return
        self._draining = self._closed = True
        self._wakeup.disarm()
        unanswered = self._queue.clear() + [i for job in self._running for i in job.items()]
        for item in unanswered:
            self._answers.drop(item, DropReason.CLOSED, Closed(f"{self.name} was closed"))
        self._pool.leave(self._seat)
        # Whoever still holds the batcher must not hold the function's memory with it.
        self._run, self._run_on = _run_nothing, {}
        self._signal_if_empty()

    # What the pool calls.

    def seal(self, executor: str, now: float, free: int = 1) -> Job | None:
        """Seal the next batch, if one may go now; ``free`` executors could have some now."""
        queue = self._queue
        try:
            self._expire(now)
            limit = self._speeds.limit(executor, queue.rows, free)
            batch = queue.take(now, flush=self._draining, limit=limit)
        except Exception as error:  # noqa: BLE001 - a broken queue must not take the loop along
            self._fail_everything(error)
            return None
        if batch is None:
            self._wakeup.arm(queue.next_wakeup(now))
            return None
        run = self._run_on.get(executor, self._run)
        job = BatchJob(batch, run, self._assembler, self.policy, self._budget, self._now, executor)
        self._running.add(job)
        self.refusing = None
        item, start, stop = batch.slices[-1]
        if start == 0 and stop < item.rows:
            item.first_sealed_at = now
        self._answers.observe(
            BatchReleased(
                batch.reason,
                batch.rows,
                len(batch.slices),
                now - batch.oldest_enqueued_at,
                executor,
            )
        )
        return job

    def finished(self, job: Job, result: Any, error: BaseException | None) -> None:
        """Answer the items of a batch that came back."""
        assert isinstance(job, BatchJob)
        self._running.discard(job)
        try:
            if error is not None:
                raise error
            self._answers.give(job, result)
            self._speeds.learn(job, result)
        except BaseException as raised:
            if not isinstance(raised, BatchingError):
                logger.exception("%s: a batch could not be completed", self.name, exc_info=raised)
            self._answers.fail(job.items(), raised)
        finally:
            self._forget_admissions()
            self._signal_if_empty()

    def predicted_seconds(self) -> float:
        """Expected run time of a full batch; inf while no batch has run."""
        return self._speeds.predict(1 if self._queue.single else self._speeds.batch_rows)

    # Inside.

    def _refusal(self, rows: int, deadline: float, now: float) -> BatchingError:
        if self._draining:
            self._answers.refused(DropReason.CLOSED, rows)
            return Closed(f"{self.name} takes no more requests")
        if deadline <= now:
            self._answers.refused(DropReason.EXPIRED, rows)
            return DeadlineExceeded("the deadline had passed on arrival")
        self._answers.refused(DropReason.TOO_LARGE, rows)
        return ItemTooLarge(rows, self.policy.max_batch_size)

    def _admit(self, rows: int, time_left: float) -> None:
        queue = self._queue
        endless = self._unbounded and time_left == math.inf
        if queue.rows + rows <= (self.policy.max_queue_rows if endless else self._batch_rows):
            return
        backlog = self._backlog()
        executors = len(self._seat.allowed)
        refused = refusal(backlog, rows, time_left, self.policy, self.latency, executors)
        if refused is not None:
            self._answers.refused(refused.reason, rows)
            if rows == 1:
                self.refusing, self._refusing_for = refused.error, refused.reason
            raise refused.error
        if not queue.single:
            self._look_ahead(executors)

    def _forget_admissions(self) -> None:
        """What a batch costs is known better now."""
        self._batch_rows = self._sure_rows = self._speeds.batch_rows
        self._sure_seconds = 0.0
        self.refusing = None

    def _look_ahead(self, executors: int) -> None:
        """Spare those who come next the question, if twice as many rows could still wait."""
        queue, policy = self._queue, self.policy
        rows = min(2 * (queue.rows + 1), policy.max_queue_rows)
        nothing = Backlog(0, 0, False, self._batch_rows, policy.adaptive)
        wait = predicted_wait(nothing, rows, self.latency, executors)
        if wait <= policy.queue_budget:
            self._sure_rows, self._sure_seconds = rows, wait

    def _fail_everything(self, error: Exception) -> None:
        """The queue itself is broken: no item of it may wait for ever."""
        logger.error("%s: the queue failed", self.name, exc_info=error)
        self._answers.fail(self._queue.clear(), error)
        self._signal_if_empty()

    def _enter(self, item: Item, priority: int, queue_timeout: float | None) -> None:
        if objection := self._turns.objection(priority):
            self._answers.refused(DropReason.FULL, item.rows)
            raise QueueFull(objection, retry_after=self._backlog_seconds())
        self._wakeup.arm(self._turns.enter(item, priority, queue_timeout))

    def _backlog_seconds(self) -> float:
        return predicted_wait(self._backlog(), 0, self.latency, len(self._seat.allowed))

    def _backlog(self) -> Backlog:
        queue = self._queue
        return Backlog(
            queue.rows, queue.items, queue.single, self._batch_rows, self.policy.adaptive
        )

    def _cancelled(self, item: Item) -> None:
        self._answers.cancelled(item)
        self._turns.leave(item)
        self.refusing = None
        self._signal_if_empty()

    def _expire(self, now: float) -> None:
        for item in self._queue.expire(now):
            milliseconds = (now - item.enqueued_at) * 1000
            error: BatchingError = DeadlineExceeded(f"no answer within {milliseconds:.0f} ms")
            if item.deadline > now:
                message = f"no device was free within the queue time-out of {milliseconds:.0f} ms"
                error = QueueTimeout(message, retry_after=self._backlog_seconds())
            self._answers.drop(item, DropReason.EXPIRED, error)
            self.refusing = None

    def _tick(self) -> None:
        now = self._now()
        self._expire(now)
        if self._queue.rows:
            self._pool.wake(self._seat, now)
        self._wakeup.arm(self._queue.next_wakeup(now))
        self._signal_if_empty()

    def _signal_if_empty(self) -> None:
        if self._empty is not None and not self._queue.rows and not self._running:
            if not self._empty.done():
                self._empty.set_result(None)
            self._empty = None


def _run_nothing(inputs: Inputs) -> Outputs:
    raise Closed("the batcher was closed")
