"""Entries for the pure queue, and a small language for what happens to it.

A script is words: ``a3`` offers entry a with 3 rows, ``a3/k`` under key k (``/!`` is ALONE),
``a3~7`` with length 7, ``a3<9`` with deadline 9; ``@2`` sets the time; ``-a`` discards a, ``+a``
completes it; ``take``, ``flush`` (take without the batch timeout), ``expire``, ``singly``.
``play`` tells what came of each take and expire: ``"a b[0:4] full"``, ``"nothing"``,
``"expired a"``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from batching import ALONE, BatchPolicy, BatchQueue, SealedBatch
from batching.sizing import Limit

OFFER = re.compile(
    r"(?P<name>[a-z])(?P<rows>\d+)(?:/(?P<key>\S))?(?:~(?P<length>\d+))?(?:<(?P<deadline>\d+))?"
)


@dataclass(eq=False, slots=True)
class Entry:
    """The least that a queue accepts."""

    name: str = "entry"
    rows: int = 1
    key: Hashable = "k"
    enqueued_at: float = 0.0
    deadline: float = math.inf
    length: int = 1
    taken: int = 0
    queued: bool = False
    answered: bool = False

    def done(self) -> bool:
        return self.answered


def show(batch: SealedBatch[Any] | None) -> str:
    """Names of a batch's entries, with the range of those it holds in part, and the reason."""
    if batch is None:
        return "nothing"
    words = [
        entry.name if (start, stop) == (0, entry.rows) else f"{entry.name}[{start}:{stop}]"
        for entry, start, stop in batch.slices
    ]
    return " ".join([*words, batch.reason])


class Player:
    """Plays a script to a queue."""

    def __init__(self, policy: BatchPolicy, limit: Limit | None = None) -> None:
        self.queue: BatchQueue[Entry] = BatchQueue(policy)
        self.limit = limit
        self.now = 0.0
        self.entries: dict[str, Entry] = {}
        self.told: list[str] = []

    def play(self, script: str) -> list[str]:
        """Everything told so far, this script included."""
        for word in script.split():
            self._do(word)
        return self.told

    def _do(self, word: str) -> None:
        match word[0], word:
            case "@", _:
                self.now = float(word[1:])
            case "-", _:
                self.queue.discard(self.entries[word[1:]])
            case "+", _:
                self.entries[word[1:]].answered = True
            case _, "take" | "flush":
                flush = word == "flush"
                self.told.append(show(self.queue.take(self.now, flush=flush, limit=self.limit)))
            case _, "expire":
                expired = self.queue.expire(self.now)
                self.told.append(" ".join(["expired", *(entry.name for entry in expired)]))
            case _, "singly":
                self.queue.run_singly()
            case _:
                self._offer(word)

    def _offer(self, word: str) -> None:
        found = OFFER.fullmatch(word)
        assert found, word
        key: Hashable = found["key"] or "k"
        entry = Entry(
            name=found["name"],
            rows=int(found["rows"]),
            key=ALONE if key == "!" else key,
            enqueued_at=self.now,
            deadline=float(found["deadline"] or math.inf),
            length=int(found["length"] or 1),
        )
        self.entries[entry.name] = entry
        self.queue.offer(entry)


def play(policy: BatchPolicy, script: str, limit: Limit | None = None) -> list[str]:
    """What came of each take and expire of a script."""
    return Player(policy, limit).play(script)
