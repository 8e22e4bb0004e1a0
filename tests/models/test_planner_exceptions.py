"""Versions that were taken back, and those that run in the shadow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.models.planner import SwapRules, VersionView, make_plan, wanted_versions
from tests.models.views import (
    AWAY,
    BROKEN,
    LOADING,
    NOT_ALWAYS,
    PRESERVING,
    READY,
    REJECTED,
    SERVES,
    Versions,
    check,
    gone,
    rules,
)


@pytest.mark.parametrize(
    ("how", "views", "load", "unload"),
    [
        (rules(), {1: SERVES, 2: REJECTED}, [], [2]),
        (rules(), {1: READY, 2: REJECTED}, [1], []),
        (rules(), {1: SERVES, 2: AWAY}, [], []),
        (rules(), {1: SERVES, 2: AWAY, 3: READY}, [3], []),
        (rules("latest:2"), {0: READY, 1: SERVES, 2: REJECTED}, [0], [2]),
        (rules("all"), {1: SERVES, 2: REJECTED}, [], [2]),
        (rules("specific:2"), {2: AWAY}, [], []),
        # The folder of the last good one is gone, but it is in memory, and better than nothing.
        (rules(), {1: gone(SERVES), 2: REJECTED}, [], [2]),
        (NOT_ALWAYS, {1: gone(SERVES), 2: REJECTED}, [], [2]),
        # The last one to stay is a good one, not the highest.
        (rules(), {1: SERVES, 2: replace(REJECTED, held=True), 3: LOADING}, [], []),
    ],
)
def test_rejected_versions_leave(
    how: SwapRules, views: Versions, load: list[int], unload: list[int]
) -> None:
    check(views, how, load, unload)


@pytest.mark.parametrize(
    ("policy", "views", "load", "unload"),
    [
        ("latest", {1: READY, 2: READY}, [2, 1], []),
        ("latest", {1: SERVES, 2: READY}, [2], []),
        ("latest", {1: SERVES, 2: SERVES}, [], []),
        ("latest", {1: BROKEN, 2: SERVES}, [], []),
        ("latest", {1: BROKEN, 2: READY}, [2], []),
        ("latest", {2: READY}, [2], []),
        ("latest", {0: SERVES, 1: READY, 2: SERVES}, [1], []),
        ("latest", {0: SERVES, 1: SERVES, 2: SERVES}, [], [0]),
        ("latest", {0: READY, 1: BROKEN, 2: SERVES}, [0], []),
        ("latest", {1: gone(SERVES), 2: gone(SERVES)}, [], []),
        # It is not what has to stay while the wanted one cannot be loaded.
        ("latest", {1: SERVES, 2: gone(SERVES), 3: BROKEN}, [], [2]),
        ("specific:1", {1: SERVES, 2: READY, 3: READY}, [2], []),
    ],
)
def test_a_shadow_runs_beside(
    policy: str, views: Versions, load: list[int], unload: list[int]
) -> None:
    """Version 2 is the shadow: it is never the one that serves, and never in the way."""
    plan = make_plan(views, rules(policy, beside=frozenset({2})))
    assert (list(plan.load), list(plan.unload)) == (load, unload)


@pytest.mark.parametrize("shadow", [READY, LOADING, SERVES])
def test_a_shadow_alone_is_no_reason_to_make_room(shadow: VersionView) -> None:
    how = replace(PRESERVING, beside=frozenset({2}))
    check({0: SERVES, 1: BROKEN, 2: shadow}, how, [], [])


def test_wanted() -> None:
    views = {1: READY, 2: REJECTED, 3: gone(SERVES), 4: READY}
    assert wanted_versions(views, rules("all")) == {1, 4}
    assert wanted_versions(views, rules("latest:2", beside=frozenset({4, 9}))) == {1, 4}
    assert wanted_versions({3: gone(SERVES)}, rules()) == {3}
    assert wanted_versions({3: gone(SERVES)}, NOT_ALWAYS) == set()
