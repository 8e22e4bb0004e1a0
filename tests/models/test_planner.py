"""What is loaded and unloaded next, case by case."""

from __future__ import annotations

import pytest

from gateway.models.planner import SwapRules
from tests.models.views import (
    AWAY,
    BROKEN,
    HELD,
    INCOMPLETE,
    LOADING,
    NOT_ALWAYS,
    PRESERVING,
    READY,
    RELOADING,
    RETRY,
    SERVES,
    STALE,
    STALE_BROKEN,
    STALE_RETRY,
    UNLOADING,
    Versions,
    check,
    gone,
    rules,
)


@pytest.mark.parametrize(
    ("views", "load", "unload"),
    [
        ({}, [], []),
        ({1: READY}, [1], []),
        ({1: READY, 2: READY}, [2], []),
        ({1: SERVES, 2: READY}, [2], []),
        ({1: SERVES, 2: LOADING}, [], []),
        ({1: SERVES, 2: SERVES}, [], [1]),
        ({1: UNLOADING, 2: SERVES}, [], []),
        ({1: SERVES, 2: INCOMPLETE}, [], []),
        ({1: SERVES, 2: BROKEN}, [], []),
        ({1: SERVES, 2: RETRY}, [2], []),
        # More than one that is not wanted any more: the highest stays.
        ({1: SERVES, 2: SERVES, 3: LOADING}, [], [1]),
        ({1: SERVES, 2: SERVES, 3: BROKEN}, [], [1]),
        # The latest goes away.
        ({1: READY, 2: gone(SERVES)}, [1], []),
        ({1: LOADING, 2: gone(SERVES)}, [], []),
        ({1: SERVES, 2: gone(SERVES)}, [], [2]),
        ({2: gone(SERVES)}, [], []),
        # A folder that came back while its version was being unloaded.
        ({1: SERVES, 2: UNLOADING}, [], []),
        # Replaced content.
        ({1: STALE}, [1], []),
        ({1: RELOADING}, [], []),
        ({1: STALE_BROKEN}, [], []),
        ({1: STALE_RETRY}, [1], []),
        ({1: STALE, 2: LOADING}, [], []),
        # A version that is being reloaded is left alone until that is over.
        ({1: RELOADING, 2: SERVES}, [], []),
    ],
)
def test_latest(views: Versions, load: list[int], unload: list[int]) -> None:
    check(views, rules(), load, unload)


@pytest.mark.parametrize(
    ("views", "load"),
    [
        ({2: READY, 3: INCOMPLETE}, [2]),
        ({2: READY, 3: BROKEN}, [2]),
        ({1: READY, 2: BROKEN, 3: BROKEN}, [1]),
        ({0: READY, 1: BROKEN, 2: BROKEN, 3: BROKEN}, []),  # two tries, no more
        ({1: READY, 2: RETRY, 3: BROKEN}, [2]),
        ({2: READY, 3: RETRY}, [3]),
        ({2: READY, 3: LOADING}, []),
        ({2: LOADING, 3: BROKEN}, []),
        ({1: READY, 2: LOADING, 3: BROKEN}, []),
        ({1: READY, 2: UNLOADING, 3: BROKEN}, []),
        ({2: SERVES, 3: BROKEN}, []),
        ({1: SERVES, 2: READY, 3: BROKEN}, []),  # something serves, if not the next best
        ({2: AWAY, 3: BROKEN}, []),
        ({1: READY, 2: AWAY, 3: BROKEN}, [1]),
    ],
)
def test_stand_ins_for_what_cannot_be_loaded(views: Versions, load: list[int]) -> None:
    check(views, rules(), load, [])


@pytest.mark.parametrize("policy", ["all", "specific:3", "specific:2,3"])
def test_only_latest_has_stand_ins(policy: str) -> None:
    wanted = {1: READY, 2: BROKEN, 3: BROKEN}
    check(wanted, rules(policy), [1] if policy == "all" else [], [])


@pytest.mark.parametrize(
    ("policy", "views", "load", "unload"),
    [
        ("latest:2", {1: READY, 2: READY, 3: READY}, [3, 2], []),
        ("latest:2", {1: SERVES, 2: SERVES, 3: READY}, [3], [1]),
        ("latest:2", {1: SERVES, 2: SERVES, 3: LOADING}, [], [1]),
        ("latest:2", {1: SERVES, 2: BROKEN, 3: BROKEN}, [], []),
        ("latest:2", {1: READY, 2: BROKEN, 3: BROKEN}, [1], []),
        ("latest:2", {1: READY, 2: BROKEN, 3: SERVES}, [], []),
        ("all", {1: READY, 2: SERVES, 3: READY}, [3, 1], []),
        ("all", {1: SERVES, 2: gone(SERVES)}, [], [2]),
        ("specific:1", {1: READY, 2: SERVES}, [1], []),
        ("specific:1", {1: SERVES, 2: SERVES}, [], [2]),
        ("specific:1,9", {1: SERVES, 2: SERVES}, [], [2]),
        ("specific:1", {1: BROKEN, 2: SERVES, 3: SERVES}, [], [2]),
        # What is asked for is not there: what there is goes on.
        ("specific:9", {1: SERVES, 2: SERVES}, [], []),
        ("specific:1", {1: gone(SERVES), 2: READY}, [], []),
    ],
)
def test_policies(policy: str, views: Versions, load: list[int], unload: list[int]) -> None:
    check(views, rules(policy), load, unload)


@pytest.mark.parametrize(
    ("how", "views", "unload"),
    [
        (rules(), {1: gone(SERVES), 2: gone(SERVES)}, []),
        (NOT_ALWAYS, {1: gone(SERVES), 2: gone(SERVES)}, [1, 2]),
        (NOT_ALWAYS, {1: gone(HELD), 2: gone(SERVES)}, [2]),
        (NOT_ALWAYS, {1: gone(RELOADING)}, []),
        (rules("specific:9", always_present=False), {1: SERVES}, [1]),
        (rules("all"), {1: gone(SERVES)}, []),
        (rules(resource_preserving=True), {1: gone(SERVES)}, []),
        (rules(resource_preserving=True, always_present=False), {1: gone(SERVES)}, [1]),
    ],
)
def test_an_empty_base_path(how: SwapRules, views: Versions, unload: list[int]) -> None:
    check(views, how, [], unload)


@pytest.mark.parametrize(
    ("views", "load", "unload"),
    [
        ({1: READY}, [1], []),
        ({1: SERVES, 2: READY}, [], [1]),
        ({1: UNLOADING, 2: READY}, [], []),
        ({1: READY, 2: READY}, [2], []),
        # What is not promising is not worth a gap.
        ({1: SERVES, 2: INCOMPLETE}, [], []),
        ({1: SERVES, 2: BROKEN}, [], []),
        ({1: SERVES, 2: RETRY}, [], []),
        ({1: READY, 2: BROKEN}, [1], []),
        ({1: LOADING, 2: READY}, [], []),
        ({1: SERVES, 2: LOADING}, [], [1]),
        # Content that is replaced leaves first, too.
        ({1: STALE}, [], [1]),
        ({1: STALE_RETRY}, [], []),
        ({1: UNLOADING}, [], []),
        ({1: gone(SERVES)}, [], []),
        # A label still points at it: it can only leave once the label has moved to the new one.
        ({1: HELD, 2: READY}, [2], []),
        ({1: HELD, 2: LOADING}, [], []),
        ({0: SERVES, 1: HELD, 2: READY}, [], [0]),
    ],
)
def test_resource_preserving(views: Versions, load: list[int], unload: list[int]) -> None:
    check(views, PRESERVING, load, unload)


def test_resource_preserving_keeps_what_stays_wanted() -> None:
    how = rules("latest:2", resource_preserving=True)
    check({1: SERVES, 2: SERVES, 3: READY}, how, [], [1])
    check({1: UNLOADING, 2: SERVES, 3: READY}, how, [], [])
    check({1: READY, 2: SERVES, 3: READY}, how, [3], [])


@pytest.mark.parametrize(
    ("views", "unload"),
    [
        ({1: HELD, 2: SERVES}, []),
        ({1: SERVES, 2: HELD, 3: SERVES}, [1]),
        ({1: HELD, 2: SERVES, 3: LOADING}, []),
    ],
)
def test_held_versions_stay(views: Versions, unload: list[int]) -> None:
    check(views, rules(), [], unload)
