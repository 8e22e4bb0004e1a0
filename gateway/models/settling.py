"""Is a version folder still being written? It is settled once two looks at it, some time apart,
found the same."""

from __future__ import annotations

from collections.abc import Collection

from gateway.models.repository import Listing


class Settling:
    """Remembers when each version's folder was first seen as it is now. Pure: times are given."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[int, tuple[int, float]] = {}

    def is_settled(self, version: int, listing: Listing, now: float, wall_clock: float) -> bool:
        """Whether the folder has not changed for the settling time.

        That is so when an earlier look, long enough ago, found the same, or when the file system
        says that the last change was long enough ago. ``now`` is monotonic, ``wall_clock`` seconds
        since the epoch.
        """
        fingerprint, since = self._since.get(version, (None, now))
        if fingerprint != listing.fingerprint:
            since = now
            self._since[version] = (listing.fingerprint, since)
        return now - since >= self._seconds or listing.changed_at + self._seconds <= wall_clock

    def forget_all_but(self, versions: Collection[int]) -> None:
        """Folders that are gone start anew when they come back."""
        self._since = {v: seen for v, seen in self._since.items() if v in versions}
