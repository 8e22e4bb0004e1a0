"""One look at a model's folders: which versions there are, and what is in those that matter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.models.planner import MAX_STAND_INS
from gateway.models.repository import Listing, find_versions, list_versions
from gateway.models.version_policy import VersionPolicy


@dataclass(frozen=True, slots=True)
class Look:
    """What was on disk."""

    versions: frozenset[int]
    """All version folders."""
    listings: Mapping[int, Listing]
    """The content of those that are wanted, loaded, or could stand in."""


def look(base_path: Path, policy: VersionPolicy, also: Collection[int], passed_over: int) -> Look:
    """Blocks. The versions ``also`` matter whatever the policy says of them; ``passed_over`` of the
    highest may not count (rejected, or beside the others). Raises ServingError when the base path
    cannot be read."""
    paths = find_versions(base_path)
    if policy.kind == "latest":
        highest = policy.count + MAX_STAND_INS + passed_over
        interesting = set(sorted(paths)[-highest:])
    else:
        interesting = set(policy.select(paths))
    interesting |= paths.keys() & set(also)
    return Look(frozenset(paths), list_versions(paths, interesting))
