"""Each item's one outcome: set, counted, and told to the observer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from batching.errors import BatchFailed, BatchingError
from batching.item import Inputs, Item, Outputs, RunTiming
from batching.observe import BatchingDisabled, DropReason, Event, ItemDropped, Observer
from batching.queue import BatchQueue
from batching.runner import BatchJob, BatchOutcome, Part
from batching.scatter import deliver
from batching.tally import Tally

logger = logging.getLogger(__name__)

_GONE: Inputs = {}
"""What an answered item keeps of its inputs, whoever still refers to it. A split item keeps them
all: another executor may be at work on its other rows."""


_CALLBACK_FAILED = "%s: the callback of a request failed"
"""What a caller makes of its item's outcome is no matter of the neighbours."""


class Answers:
    """Every way in which items of one batcher end. A done item is never touched again."""

    def __init__(
        self,
        name: str,
        queue: BatchQueue[Item],
        tally: Tally,
        observer: Observer,
        now: Callable[[], float],
    ) -> None:
        self._name = name
        self._queue = queue
        self._tally = tally
        self._observer = observer
        self._now = now

    def give(self, job: BatchJob, outcome: BatchOutcome) -> None:
        """Hand a batch's results to its items. What runs here runs for every request: the common
        case, a whole item with outputs, is dealt with in place."""
        timing = job.timing(outcome)
        if outcome.unsplittable and not self._queue.single:
            self._queue.run_singly()
            self.observe(BatchingDisabled(outcome.unsplittable))
        answered = failed = 0
        for part, result in zip(outcome.parts, outcome.results, strict=True):
            item, start, stop = part
            if stop - start == item.rows and not isinstance(result, Exception):
                item.inputs = _GONE
                if not item.finished:
                    answered += 1
                    try:
                        item.complete(result, timing)
                    except Exception:
                        logger.exception(_CALLBACK_FAILED, self._name)
                continue
            failed += isinstance(result, Exception)
            self._settle(part, result, timing)
        self._tally.answered += answered
        self._tally.batch(outcome)
        self.observe(job.record(outcome, failed))

    def fail(self, items: Iterable[Item], error: BaseException) -> None:
        """Items of something that broke as a whole: BatchFailed, caused by ``error``."""
        for item in items:
            self._queue.discard(item)
            self._set_exception(item, _batch_failed(error))

    def drop(self, item: Item, reason: DropReason, error: BatchingError) -> None:
        """An item that is answered without having run to its end."""
        if item.done():
            return
        if reason is DropReason.EXPIRED:
            self._tally.expired += 1
        else:
            self._tally.failed += 1
        self._end(item, error)
        self.observe(ItemDropped(reason, item.rows, self._now() - item.enqueued_at))

    def cancelled(self, item: Item) -> None:
        """An item whose caller gave it up."""
        self._queue.discard(item)
        self._tally.cancelled += 1
        waited = self._now() - item.enqueued_at
        self.observe(ItemDropped(DropReason.CANCELLED, item.rows, waited))

    def refused(self, reason: DropReason, rows: int) -> None:
        """A request that did not become an item."""
        self._tally.rejected += 1
        self.observe(ItemDropped(reason, rows, 0.0))

    def observe(self, event: Event) -> None:
        """Tell the observer; a failure of its own stays here."""
        try:
            self._observer(event)
        except Exception:
            logger.exception("%s: an observer failed", self._name)

    def _settle(self, part: Part, result: Outputs | Exception, timing: RunTiming) -> None:
        item = part[0]
        if item.done():
            return
        try:
            if not isinstance(result, Exception):
                self._tally.answered += deliver(part, result, timing)
        except Exception as error:
            logger.exception("%s: parts of a request could not be put together", self._name)
            result = _batch_failed(error)
        if isinstance(result, Exception):
            self._queue.discard(item)
            self._set_exception(item, result)

    def _set_exception(self, item: Item, error: Exception) -> None:
        if item.done():
            return
        self._tally.failed += 1
        # A future refuses StopIteration, which would end the coroutine that awaits it.
        refused = isinstance(error, StopIteration)
        self._end(item, _batch_failed(error) if refused else error)

    def _end(self, item: Item, error: BaseException) -> None:
        try:
            item.fail(error)
        except Exception:
            logger.exception(_CALLBACK_FAILED, self._name)


def _batch_failed(error: BaseException) -> BatchFailed:
    failed = BatchFailed("the batch could not be completed")
    failed.__cause__ = error
    return failed
