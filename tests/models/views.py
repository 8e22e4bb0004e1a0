"""Versions as a plan sees them, and a check of the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.models.planner import Phase, Plan, SwapRules, VersionView, make_plan
from gateway.models.version_policy import parse_version_policy

READY = VersionView(Phase.ABSENT, ready_to_load=True)
INCOMPLETE = VersionView(Phase.ABSENT)
BROKEN = VersionView(Phase.ABSENT, failed=True)
RETRY = VersionView(Phase.ABSENT, ready_to_load=True, failed=True)
LOADING = VersionView(Phase.LOADING, ready_to_load=True)
SERVES = VersionView(Phase.AVAILABLE, ready_to_load=True)
STALE = replace(SERVES, stale=True)
STALE_BROKEN = replace(STALE, ready_to_load=False, failed=True)
STALE_RETRY = replace(STALE, failed=True)
RELOADING = VersionView(Phase.RELOADING, ready_to_load=True, stale=True)
UNLOADING = VersionView(Phase.UNLOADING, ready_to_load=True)
HELD = replace(SERVES, held=True)
REJECTED = replace(SERVES, rejected=True)
AWAY = replace(READY, rejected=True)
"""Taken back, and unloaded since."""


def gone(view: VersionView) -> VersionView:
    return replace(view, on_disk=False, ready_to_load=False)


def rules(policy: str = "latest", **more: Any) -> SwapRules:
    return replace(SwapRules(parse_version_policy(policy)), **more)


PRESERVING = rules(resource_preserving=True)
NOT_ALWAYS = rules(always_present=False)
Versions = dict[int, VersionView]


def check(views: Versions, how: SwapRules, load: list[int], unload: list[int]) -> None:
    assert make_plan(views, how) == Plan(tuple(load), tuple(unload))
