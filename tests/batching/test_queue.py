"""The queue by itself: what happens when, and which batches come of it."""

import math
from collections.abc import Hashable

import pytest

from batching import BatchPolicy, BatchQueue
from tests.batching.entries import Entry, Player, play, show

FOUR = BatchPolicy(max_batch_size=4)
PATIENT = BatchPolicy(max_batch_size=4, batch_timeout=1.0)
SINGLE = BatchPolicy(max_batch_size=4, enabled=False)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("take", ["nothing"], id="empty"),
        pytest.param("a1 take take", ["a idle", "nothing"], id="greedy"),
        pytest.param("a1 b1 c1 take", ["a b c idle"], id="all-there-is"),
        pytest.param("a2 b2 c1 take take", ["a b full", "c idle"], id="rows-not-items"),
        pytest.param("a3 b2 c1 take take", ["a full", "b c idle"], id="nobody-overtakes"),
        pytest.param("a4 b4 take take", ["a full", "b full"], id="whole-batches"),
        pytest.param("a3 b4 take take", ["a full", "b full"], id="what-fits-whole-is-not-split"),
        pytest.param("a1 take b1 take", ["a idle", "b idle"], id="lane-comes-back"),
        pytest.param("a1 b1 flush", ["a b drain"], id="drain"),
        pytest.param("a4 b1 flush flush", ["a full", "b drain"], id="drain-full"),
    ],
)
def test_greedy(script: str, expected: list[str]) -> None:
    assert play(FOUR, script) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("a1 take @0.9 take @1 take", ["nothing", "nothing", "a timeout"], id="waits"),
        pytest.param("a1 @0.9 b1 @1 take", ["a b timeout"], id="oldest-row-decides"),
        pytest.param("a2 take @0.1 b2 take", ["nothing", "a b full"], id="full-goes-at-once"),
        pytest.param(
            "a4 @0.5 b1 take take @1.4 take @1.5 take",
            ["a full", "nothing", "nothing", "b timeout"],
            id="age-of-what-is-left",
        ),
        pytest.param("a1 @0.5 b1 -a @1 take @1.5 take", ["nothing", "b timeout"], id="head-gone"),
        pytest.param("a1 flush", ["a drain"], id="drain-does-not-wait"),
        pytest.param("a1 @2 flush", ["a drain"], id="drain-says-so-even-late"),
        pytest.param("a1/! take", ["a alone"], id="alone-does-not-wait"),
        pytest.param(
            "a1/x @0.5 b4/y take take @1 take",
            ["b full", "nothing", "a timeout"],
            id="full-lane-before-waiting-lane",
        ),
        pytest.param("a1/x @0.5 b4/y @1 take take", ["a timeout", "b full"], id="both-may-go"),
        pytest.param(
            "a6 take take @1 take", ["a[0:4] full", "nothing", "a[4:6] timeout"], id="rest"
        ),
    ],
)
def test_batch_timeout(script: str, expected: list[str]) -> None:
    assert play(PATIENT, script) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("@0 a1/x @1 b1/y @2 c1/x take take", ["a c idle", "b idle"], id="never-mixed"),
        pytest.param(
            "@0 a4/x @1 b1/y @2 c4/x take take take",
            ["a full", "b idle", "c full"],
            id="oldest-head-first",
        ),
        pytest.param(
            "@0 a1/x @1 b1/y @2 c1/x -a take take", ["b idle", "c idle"], id="age-of-the-new-head"
        ),
        pytest.param(
            "@0 a1/! @1 b1 @2 c1/! @3 d1 take take take",
            ["a alone", "b d idle", "c alone"],
            id="alone-among-others",
        ),
    ],
)
def test_keys(script: str, expected: list[str]) -> None:
    assert play(FOUR, script) == expected


@pytest.mark.parametrize("key", [None, 0, "", (), False], ids=repr)
def test_every_hashable_key_is_served(key: Hashable) -> None:
    queue: BatchQueue[Entry] = BatchQueue(FOUR)
    queue.offer(Entry("a", key=key))
    assert show(queue.take(0.0)) == "a idle"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("a8 take take take", ["a[0:4] full", "a[4:8] full", "nothing"], id="even"),
        pytest.param(
            "a9 b1 take take take",
            ["a[0:4] full", "a[4:8] full", "a[8:9] b idle"],
            id="rest-shared",
        ),
        pytest.param(
            "a3 b6 c1 take take take",
            ["a b[0:1] full", "b[1:5] full", "b[5:6] c idle"],
            id="first-rows-fill-up",
        ),
        pytest.param(
            "a5 b6 take take take",
            ["a[0:4] full", "a[4:5] b[0:3] full", "b[3:6] idle"],
            id="two-oversized",
        ),
        pytest.param("a9/! take", ["a alone"], id="alone-is-not-split"),
    ],
)
def test_oversized_entries_are_split(script: str, expected: list[str]) -> None:
    assert play(FOUR, script) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("a1 b1 c1 -a take", ["b c idle"], id="head"),
        pytest.param("a1 b1 c1 -b take", ["a c idle"], id="middle"),
        pytest.param("a1 b1 c1 -c take", ["a b idle"], id="last"),
        pytest.param("a1 -a take", ["nothing"], id="only"),
        pytest.param("a1 -a -a b1 take", ["b idle"], id="twice"),
        pytest.param("a1 take -a b1 take", ["a idle", "b idle"], id="taken"),
        pytest.param("a9 take -a take", ["a[0:4] full", "nothing"], id="part-taken"),
        pytest.param("a9 b1 take -a take", ["a[0:4] full", "b idle"], id="part-taken-neighbour"),
        pytest.param("a4 b3 c1 -b take take", ["a full", "c idle"], id="room-is-used-by-others"),
    ],
)
def test_discard(script: str, expected: list[str]) -> None:
    assert play(FOUR, script) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("a1<5 @4 expire @5 expire take", ["expired", "expired a", "nothing"], id="at"),
        pytest.param("a1<5 b1 @9 expire take", ["expired a", "b idle"], id="neighbour-stays"),
        pytest.param("a1<7 b1<5 c1<6 @9 expire", ["expired b c a"], id="earliest-first"),
        pytest.param("a1<5 take @5 expire", ["a idle", "expired a"], id="running"),
        pytest.param("a1<5 take +a @5 expire", ["a idle", "expired"], id="answered"),
        pytest.param("a1<5 +a -a b1<5 @5 expire", ["expired b"], id="cancelled"),
        pytest.param(
            "a9<5 take @5 expire take", ["a[0:4] full", "expired a", "nothing"], id="part"
        ),
        pytest.param("a1<5 @5 expire expire", ["expired a", "expired"], id="once"),
    ],
)
def test_expire(script: str, expected: list[str]) -> None:
    assert play(FOUR, script) == expected


@pytest.mark.parametrize(
    ("policy", "script", "expected"),
    [
        pytest.param(SINGLE, "a1 b1 take take", ["a alone", "b alone"], id="disabled"),
        pytest.param(SINGLE, "a9 take", ["a alone"], id="disabled-is-not-split"),
        pytest.param(SINGLE, "@0 a1/x @1 b1/y @2 c1/x take take take",
                     ["a alone", "b alone", "c alone"], id="disabled-in-order-of-arrival"),
        pytest.param(SINGLE, "a1 b1 flush", ["a alone"], id="disabled-drain"),
        pytest.param(FOUR, "a1 b1 singly c1 take take take", ["a alone", "b alone", "c alone"],
                     id="those-that-wait-included"),
        pytest.param(FOUR, "a9 take singly take", ["a[0:4] full", "a[4:9] alone"],
                     id="the-rest-of-a-split-one"),
        pytest.param(PATIENT, "a1 singly take", ["a alone"], id="no-timeout"),
        pytest.param(FOUR, "a1 b1 singly -a take", ["b alone"], id="discard"),
    ],
)  # fmt: skip
def test_singly(policy: BatchPolicy, script: str, expected: list[str]) -> None:
    assert play(policy, script) == expected


@pytest.mark.parametrize(
    ("policy", "script", "expected"),
    [
        (FOUR, "", math.inf),
        (FOUR, "@3 a1", math.inf),
        (FOUR, "a1<9 b1<5", 5.0),
        (FOUR, "a1<5 take", 5.0),
        (FOUR, "a1<5 b1<9 take +a expire", 9.0),
        (PATIENT, "@3 a1", 4.0),
        (PATIENT, "@3 a1<9", 4.0),
        (PATIENT, "@3 a1/x<9 @3.5 b1/y", 4.0),
        (PATIENT, "@3 a1 @3.5 b1 -a", 4.5),
        (PATIENT, "@3 a1 @3.5 flush", math.inf),
        (PATIENT, "@3 a1 @4", math.inf),
        (PATIENT, "@3 a1/x @3.5 b1/y @4", 4.5),
        (PATIENT, "@3 a1/x<9 @4", 9.0),
    ],
)
def test_next_wakeup(policy: BatchPolicy, script: str, expected: float) -> None:
    player = Player(policy)
    player.play(script)
    assert player.queue.next_wakeup(player.now) == expected


def test_sealed_batch_tells_its_age_and_size() -> None:
    player = Player(FOUR)
    player.play("@1 a1 @2 b2")
    batch = player.queue.take(5.0)
    assert batch is not None
    assert (batch.rows, batch.oldest_enqueued_at, batch.sealed_at) == (3, 1.0, 5.0)


def test_clear_returns_what_waits() -> None:
    player = Player(FOUR)
    player.play("z1 take a1 b1/x c9/y -b")
    assert sorted(entry.name for entry in player.queue.waiting()) == ["a", "c"]
    assert sorted(entry.name for entry in player.queue.clear()) == ["a", "c"]
    assert (player.queue.rows, player.queue.items) == (0, 0)
    assert player.play("take d1 take")[1:] == ["nothing", "d idle"]
