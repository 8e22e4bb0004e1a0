"""Answers in order of arrival, whatever the order in which batches end."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from batching.item import Item

logger = logging.getLogger(__name__)

Tell = Callable[[Item], None]


class ArrivalOrder:
    """Holds an answer back until every item that arrived before has its outcome.

    Failures are told at once: there is no answer that could come in a wrong place, and a time-out
    is worth nothing when it is told late.
    """

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._tells: dict[Item, Tell] = {}
        """Of the items that are not told of yet."""

    def enter(self, item: Item) -> None:
        """An item arrives. From now on this decides when its caller is told of the outcome."""
        self._items.append(item)
        self._tells[item] = item.redirect(self._finished)

    def leave(self, item: Item) -> None:
        """An item was given up: its caller is told nothing, and nobody waits for it."""
        self._tells.pop(item, None)
        self._release()

    def _finished(self, item: Item) -> None:
        if item.error is not None:
            self._tell(item)
        self._release()

    def _release(self) -> None:
        items, tells = self._items, self._tells
        while items and (items[0] not in tells or items[0].finished):
            item = items.popleft()
            if item in tells:
                self._tell(item)

    def _tell(self, item: Item) -> None:
        tell = self._tells.pop(item)
        try:
            tell(item)
        except Exception:
            # What its caller makes of one item's outcome is no matter of those behind it.
            logger.exception("the callback of a request failed")
