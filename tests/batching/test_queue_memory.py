"""Memory of the queue follows the entries that wait, not those that ever did."""

import gc
import weakref

from batching import BatchPolicy, BatchQueue, Padding, PadInput
from tests.batching.entries import Entry

MANY = 5000


class Traced(Entry):
    """An entry that can be referenced weakly."""

    __slots__ = ("__weakref__",)


def alive(references: list[weakref.ref[Traced]]) -> int:
    gc.collect()
    return sum(reference() is not None for reference in references)


def test_discarded_entries_behind_a_waiting_head_are_forgotten() -> None:
    queue: BatchQueue[Traced] = BatchQueue(BatchPolicy(max_batch_size=4))
    queue.offer(Traced("head"))
    references = []
    for number in range(MANY):
        entry = Traced(f"{number}")
        references.append(weakref.ref(entry))
        queue.offer(entry)
        queue.discard(entry)
    del entry
    assert alive(references) < 100
    assert (queue.rows, queue.items) == (1, 1)


def test_entries_taken_out_of_order_are_forgotten() -> None:
    padding = Padding({"x": PadInput()}, patience=1e9)
    policy = BatchPolicy(max_batch_size=2, max_queue_rows=10**6, padding=padding)
    queue: BatchQueue[Traced] = BatchQueue(policy)
    references = []
    for number in range(MANY):
        # The head is always of another length than what follows, so it goes by itself.
        for length in (number % 7 + 1, number % 5 + 10):
            entry = Traced(length=length, enqueued_at=float(number))
            references.append(weakref.ref(entry))
            queue.offer(entry)
        queue.take(float(number))
    del entry
    assert alive(references) <= queue.items + 100


def test_answered_entries_leave_the_deadlines_although_an_earlier_one_waits() -> None:
    queue: BatchQueue[Traced] = BatchQueue(BatchPolicy(max_batch_size=1))
    slow = Traced("slow", deadline=1.0)
    queue.offer(slow)
    queue.take(0.0)
    references = []
    for number in range(MANY):
        entry = Traced(f"{number}", deadline=2.0 + number)
        references.append(weakref.ref(entry))
        queue.offer(entry)
        queue.take(0.0)
        entry.answered = True
    del entry
    assert alive(references) < 1000
    assert queue.expire(1.5) == [slow]


def test_deadlines_of_many_waiting_entries_all_stay() -> None:
    queue: BatchQueue[Entry] = BatchQueue(BatchPolicy(max_batch_size=1, max_queue_rows=MANY))
    for number in range(MANY):
        queue.offer(Entry(f"{number}", deadline=float(MANY - number)))
    assert len(queue.expire(float(MANY))) == MANY
    assert queue.rows == 0
