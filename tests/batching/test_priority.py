"""The queue with priority levels and time-outs of waiting, by itself."""

from __future__ import annotations

import math
import weakref
from typing import Any

import pytest

from batching import ALONE, BatchPolicy, LevelPolicy, Padding, PadInput
from batching.priority import PriorityQueue
from batching.sizing import Limit
from tests.batching.ranked import Levels, Ranked, levels


@pytest.mark.parametrize(
    ("offered", "batches"),
    [
        pytest.param("a3 b1 c2 d1", "b d, c a, nothing", id="by-level"),
        pytest.param("a2 b2 c2", "a b, c, nothing", id="in-order-within-a-level"),
        pytest.param("a3 b1", "b a, nothing, nothing", id="levels-share-a-batch"),
        pytest.param("a1 b1 c1 d3", "a b, c d, nothing", id="room-is-filled-from-below"),
    ],
)
def test_higher_levels_go_first(offered: str, batches: str) -> None:
    queue = Levels(levels())
    queue.offer(offered)
    assert queue.take(3) == batches


def test_of_several_kinds_the_one_with_the_best_waiting_goes_first() -> None:
    queue = Levels(levels())
    queue.offer("a2 b2", key="x")
    queue.offer("c1", key="y")
    queue.offer("d3", key="y")
    queue.offer("e1", key=ALONE)
    assert queue.take(4) == "c d, e, a b, nothing"


@pytest.mark.parametrize(
    ("relief", "batches"),
    [
        (0, "b c, d e, f g, h i, j a"),
        (1, "b c, a d, e f, g h, i j"),
        (2, "b c, d e, a f, g h, i j"),
    ],
)
def test_after_so_many_batches_the_oldest_has_its_turn(relief: int, batches: str) -> None:
    queue = Levels(levels(relief=relief))
    queue.offer("a3 b1 c1 d1 e1 f1 g1 h1 i1 j1")
    assert queue.take(5) == batches


def test_a_turn_of_the_oldest_is_in_order_of_arrival_altogether() -> None:
    queue = Levels(levels(relief=2, size=3))
    queue.offer("a3 b2 c1 d3 e1 f1 g1 h1 i1 j1 k1")
    assert queue.take(3) == "c e f, g h i, a b d"


def test_without_anyone_older_below_no_turn_is_earned() -> None:
    queue = Levels(levels(relief=2))
    for _ in range(5):
        queue.offer("a1 b1 z3")
        assert queue.take() == "a b"
        assert queue.take() == "z"
    queue.offer("z3 a1 b1")
    assert queue.take() == "a b"


def test_oversized_ones_are_split_and_may_be_overtaken() -> None:
    queue = Levels(levels())
    queue.offer("a2", rows=5)
    assert queue.take() == "a[0:2]"
    queue.offer("b1")
    assert queue.take(2) == "b a[2:3], a[3:5]"
    assert queue.queue.items == 0


def test_reject_at_the_time_out() -> None:
    queue = Levels(levels())
    queue.offer("a2", timeout=1.0)
    queue.offer("b1", timeout=2.0)
    queue.offer("c1")
    assert queue.queue.next_wakeup(0.0) == 1.0
    assert queue.expire(0.9) == ""
    assert queue.expire(1.0) == "a"
    assert queue.queue.next_wakeup(1.0) == pytest.approx(2.001)
    assert (queue.queue.rows, queue.queue.waiting_at(2)) == (2, 0)
    assert queue.expire(3.0) == "b"
    assert queue.take(2) == "c, nothing"
    assert queue.queue.next_wakeup(3.0) == math.inf


def test_delayed_ones_wait_behind_all_others_of_their_level() -> None:
    queue = Levels(levels(queue_timeout=1.0, queue_timeout_action="delay"))
    queue.offer("a1 b2", timeout=1.0)
    queue.offer("c1 d2")
    assert queue.expire(1.5) == ""
    queue.offer("e1 f2")
    assert queue.take(3) == "c e, a d, f b"
    assert queue.queue.next_wakeup(1.5) == math.inf


def test_each_level_has_its_own_action() -> None:
    queue = Levels(levels(level_policies={2: LevelPolicy(1.0, "delay")}))
    queue.offer("a1 b2", timeout=1.0)
    queue.offer("c2")
    assert queue.expire(2.0) == "a"
    assert queue.take() == "c b"


def test_sealed_ones_time_out_no_more() -> None:
    queue = Levels(levels())
    queue.offer("a1", timeout=1.0)
    queue.offer("b1", timeout=1.0, rows=5)
    assert queue.take() == "a b[0:1]"
    assert queue.expire(9.0) == "", "nor does the rest of one that was split"
    assert queue.take(2) == "b[1:3], b[3:5]"


def test_a_deadline_and_a_time_out_end_an_entry_once() -> None:
    queue = Levels(levels())
    queue.offer("a1", timeout=1.0, deadline=1.0)
    assert queue.expire(1.0) == "a"
    queue.entries["a"].answered = True
    assert queue.expire(2.0) == ""


def test_waiting_ones_are_counted_by_level() -> None:
    queue = Levels(levels(size=1))
    queue.offer("a1 b1 c2 d2 e2", timeout=1.0)
    queue.offer("f3", rows=2)

    def counts() -> list[int]:
        return [queue.queue.waiting_at(level) for level in (1, 2, 3)]

    assert counts() == [2, 3, 1]
    assert queue.take() == "a"
    queue.queue.discard(queue.entries["c"])
    queue.queue.discard(queue.entries["c"])
    assert counts() == [1, 2, 1]
    assert queue.expire(2.0) == "b d e"
    assert counts() == [0, 0, 1]
    assert queue.take() == "f[0:1]"
    assert counts() == [0, 0, 1]
    queue.queue.clear()
    assert counts() == [0, 0, 0]


def test_one_level_for_time_outs_alone() -> None:
    queue = Levels(BatchPolicy(max_batch_size=2, queue_timeout=1.0, queue_timeout_action="delay"))
    queue.offer("a1", timeout=1.0)
    queue.offer("b1 c1")
    assert queue.expire(1.0) == ""
    assert queue.take(2) == "b c, a"


def test_batch_timeout_looks_at_the_oldest_of_all_levels() -> None:
    queue = Levels(levels(size=4, batch_timeout=1.0))
    queue.offer("a3")
    queue.now = 0.5
    queue.offer("b1")
    assert queue.take() == "nothing"
    assert queue.queue.next_wakeup(queue.now) == pytest.approx(1.001)
    queue.now = 1.1
    assert queue.take() == "b a"


def test_alone_and_in_order_of_service() -> None:
    queue = Levels(levels(enabled=False))
    queue.offer("a3 b1 c2")
    assert queue.take(4) == "b, c, a, nothing"
    queue = Levels(levels())
    queue.offer("a3 b1 c2")
    queue.queue.run_singly()
    queue.offer("d1")
    assert queue.take(5) == "b, d, c, a, nothing"


def test_lengths_go_together_behind_the_first_in_order() -> None:
    queue = Levels(levels(size=4, padding=Padding({"x": PadInput()})))
    for name, length in (("a3", 90), ("b2", 10), ("c2", 90), ("d1", 10), ("e3", 10)):
        queue.offer(name, length=length)
    limit = Limit(4, fixed_cells=5.0)
    assert queue.take(2, limit=limit) == "d b e, c a"


@pytest.mark.parametrize("action", ["reject", "delay"])
def test_what_is_gone_is_forgotten(action: Any) -> None:
    queue: PriorityQueue[Ranked] = PriorityQueue(levels(queue_timeout_action=action))
    stays = Ranked("stays", priority=3, enqueued_at=0.0)
    queue.offer(stays)
    references = []
    for number in range(3000):
        entry = Ranked(priority=1 + number % 2, enqueued_at=number, queue_deadline=number + 10.0)
        references.append(weakref.ref(entry))
        queue.offer(entry)
        queue.expire(float(number))
        if number % 3:
            queue.discard(entry)
        elif number % 2:
            queue.take(float(number), limit=Limit(1))
    for waiting in list(queue.waiting()):
        if waiting is not stays:
            queue.discard(waiting)
    del entry, waiting
    alive = sum(reference() is not None for reference in references)
    assert alive < 600
    assert queue.items == 1
