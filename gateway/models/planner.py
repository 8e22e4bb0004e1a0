"""What to load and what to unload next: a function of what is on disk and what is in memory.

No clock, no event loop. The rules are TF Serving's (aspired_versions_manager, availability- and
resource-preserving policy), and beyond them: a broken version never takes the last good one's
place, a folder that is replaced is loaded again, and a model does not go away with its folders
unless that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.models.version_policy import VersionPolicy

MAX_STAND_INS = 2
"""A model that has nothing to serve because its wanted versions are broken or incomplete tries
versions below them, up to so many beyond those that are wanted."""


class Phase(Enum):
    """Where a version's copy in memory is."""

    ABSENT = "absent"
    LOADING = "loading"
    AVAILABLE = "available"
    RELOADING = "reloading"
    """Available, while a newer content of its folder is loaded."""
    UNLOADING = "unloading"

    @property
    def serves(self) -> bool:
        return self in (Phase.AVAILABLE, Phase.RELOADING)

    @property
    def in_memory(self) -> bool:
        return self is not Phase.ABSENT


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version that is on disk, in memory, or both."""

    phase: Phase
    on_disk: bool = True
    ready_to_load: bool = False
    """Settled, and not waiting for a retry."""
    stale: bool = False
    """What is in memory is not what is on disk or in the settings any more."""
    failed: bool = False
    """The last try to load this content failed."""
    rejected: bool = False
    """It was taken back because of its failures: not wanted before its folder changes."""
    held: bool = False
    """Must stay in memory: a label in force refers to it, or it may have to come back."""


@dataclass(frozen=True, slots=True)
class SwapRules:
    """How one set of versions gives way to another."""

    policy: VersionPolicy
    resource_preserving: bool = False
    """Unload first, then load: never two versions in memory, at the price of a gap."""
    always_present: bool = True
    """Keep what is loaded when the base path holds no version any more."""
    beside: frozenset[int] = frozenset()
    """Versions that are wanted beside those that the policy selects (they run in the shadow)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions that may start now, all of them."""

    load: tuple[int, ...] = ()
    """Highest first."""
    unload: tuple[int, ...] = ()


Views = Mapping[int, VersionView]


def wanted_versions(views: Views, rules: SwapRules) -> frozenset[int]:
    """The versions that the policy selects of what is on disk, and those beside them."""
    on_disk = {v for v, view in views.items() if view.on_disk}
    present = {v for v in on_disk if not views[v].rejected}
    if not present and (on_disk or rules.always_present):
        return frozenset(v for v, view in views.items() if view.phase.serves and not view.rejected)
    return rules.policy.select(present - rules.beside) | (rules.beside & present)


def make_plan(views: Views, rules: SwapRules) -> Plan:
    """The next steps towards the wanted versions."""
    wanted = wanted_versions(views, rules)
    stand_in = frozenset(_stand_in(views, wanted, rules))
    unload = frozenset(_to_unload(views, wanted, stand_in, rules))
    load = [v for v in sorted(wanted | stand_in, reverse=True) if _may_load(views[v])]
    if rules.resource_preserving and _others_in_memory(views, wanted | stand_in, load):
        load = []
    return Plan(tuple(load), tuple(sorted(unload)))


def _may_load(view: VersionView) -> bool:
    if not view.ready_to_load or not view.on_disk:
        return False
    return view.phase is Phase.ABSENT or (view.phase is Phase.AVAILABLE and view.stale)


def _others_in_memory(views: Views, kept: frozenset[int], load: list[int]) -> bool:
    """Whether something must leave before ``load`` may start."""
    leaving = (v for v, view in views.items() if view.phase.in_memory and not view.held)
    outgoing = [v for v in leaving if v not in kept]
    reloaded = [v for v in load if views[v].phase.in_memory]
    return bool(load) and bool(outgoing or reloaded)


def _stand_in(views: Views, wanted: frozenset[int], rules: SwapRules) -> Iterator[int]:
    """The version to serve while none of the wanted ones can be."""
    if rules.policy.kind != "latest":
        return
    main = wanted - rules.beside
    others = {v for v, view in views.items() if v not in rules.beside and not view.rejected}
    if not main or any(views[v].phase.serves for v in others):
        return
    if any(views[v].phase.in_memory or _may_load(views[v]) for v in main):
        return
    below = [v for v in sorted(others, reverse=True) if v < min(main) and views[v].on_disk]
    for version in below[:MAX_STAND_INS]:
        if views[version].phase in (Phase.LOADING, Phase.UNLOADING) or _may_load(views[version]):
            yield version
            return


def _to_unload(
    views: Views, wanted: frozenset[int], stand_in: frozenset[int], rules: SwapRules
) -> Iterator[int]:
    serving = [v for v, view in views.items() if view.phase.serves]
    unwanted = [
        v for v in serving if v not in wanted | stand_in and views[v].phase is Phase.AVAILABLE
    ]
    free = [v for v in unwanted if not views[v].held]
    if not wanted:
        yield from () if rules.always_present else free
    elif rules.resource_preserving:
        yield from _make_room(views, wanted, free, rules.beside)
    elif any(v in wanted - rules.beside for v in serving):
        yield from free
    elif unwanted:
        last = max(unwanted, key=lambda v: (v not in rules.beside, not views[v].rejected, v))
        yield from (v for v in free if v != last)


def _make_room(
    views: Views, wanted: frozenset[int], free: list[int], beside: frozenset[int]
) -> Iterator[int]:
    """Unwanted versions leave as soon as a wanted one is there, or can be loaded in their place;
    so does the old content of one that is to be loaded again. What has failed once is not worth
    another gap."""
    if any(views[v].phase.in_memory or _promising(views[v]) for v in wanted - beside):
        yield from free
    yield from (v for v in wanted if views[v].phase is Phase.AVAILABLE and _promising(views[v]))


def _promising(view: VersionView) -> bool:
    return _may_load(view) and not view.failed
