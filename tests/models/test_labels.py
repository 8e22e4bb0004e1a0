"""Shares of a label's versions, and label maps that take effect as a whole."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.models.labels import Label, Labels, Targets

WEIGHTS = st.dictionaries(
    st.integers(0, 50),
    st.floats(0.001, 1000, allow_nan=False) | st.integers(1, 100).map(float),
    min_size=1,
    max_size=6,
)


def choices(label: Label, requests: int, *unavailable: int) -> list[int | None]:
    return [label.choose(lambda v: v not in unavailable) for _ in range(requests)]


@pytest.mark.parametrize(
    ("weights", "counts"),
    [
        ({1: 0.9, 2: 0.1}, {1: 90, 2: 10}),
        ({1: 99, 2: 1}, {1: 99, 2: 1}),
        ({1: 1, 2: 1, 3: 2}, {1: 25, 2: 25, 3: 50}),
        ({1: 0.05, 2: 0.95}, {1: 5, 2: 95}),
        ({4: 1e-9}, {4: 100}),
    ],
)
def test_shares_are_exact(weights: Targets, counts: dict[int, int]) -> None:
    label = Label(weights)
    for _ in range(3):
        assert Counter(choices(label, 100)) == counts


def test_shares_are_spread_evenly() -> None:
    assert choices(Label({1: 3, 2: 1}), 8) == [1, 1, 2, 1, 1, 1, 2, 1]


@given(WEIGHTS, st.integers(1, 300))
def test_every_stretch_holds_its_shares(weights: Targets, requests: int) -> None:
    chosen = choices(Label(weights), requests)
    total = sum(weights.values())
    for version, weight in weights.items():
        taken = [0, *accumulate(int(c == version) for c in chosen)]
        ahead = [count - n * weight / total for n, count in enumerate(taken)]
        # Of any stretch, not only from the first request on.
        assert max(ahead) - min(ahead) <= len(weights) + 1e-6


def test_the_share_of_what_is_not_available_goes_to_the_others() -> None:
    label = Label({1: 2, 2: 1, 3: 1})
    assert Counter(choices(label, 90, 3)) == {1: 60, 2: 30}
    assert Counter(choices(label, 30, 1, 2)) == {3: 30}
    assert choices(label, 2, 1, 2, 3) == [None, None]
    assert Counter(choices(label, 100)) == {1: 50, 2: 25, 3: 25}


def test_an_absence_is_not_made_up_for() -> None:
    label = Label({1: 1, 2: 1})
    choices(label, 101, 2)
    assert Counter(choices(label, 10)) == {1: 5, 2: 5}


@given(WEIGHTS, st.lists(st.sets(st.integers(0, 50)), max_size=40))
def test_only_available_targets_are_chosen(weights: Targets, absences: list[set[int]]) -> None:
    label = Label(weights)
    for absent in absences:
        (chosen,) = choices(label, 1, *absent)
        usable = weights.keys() - absent
        assert chosen in usable if usable else chosen is None


def test_a_label_waits_for_its_version() -> None:
    labels = Labels()
    labels.want({"stable": {1: 1.0}})
    assert labels.missing([]) == {"stable": 1}
    assert not labels.activate([])
    assert labels.get("stable") is None
    assert labels.activate([1])
    assert (labels.targets, labels.versions()) == ({"stable": {1: 1.0}}, {1})
    assert not labels.activate([1])


def test_the_map_moves_as_a_whole() -> None:
    labels = Labels()
    labels.want({"stable": {1: 1.0}, "old": {1: 1.0}})
    labels.activate([1])
    labels.want({"stable": {2: 1.0}, "canary": {3: 1.0}})
    assert not labels.activate([1, 2])
    assert labels.targets == {"stable": {1: 1.0}, "old": {1: 1.0}}
    assert labels.missing([1, 2]) == {"canary": 3}
    assert labels.activate([1, 2, 3])
    assert labels.targets == {"stable": {2: 1.0}, "canary": {3: 1.0}}
    assert labels.get("old") is None


def test_weights_need_every_version() -> None:
    labels = Labels()
    labels.want({"split": {1: 0.5, 2: 0.5}})
    assert not labels.activate([1])
    assert labels.missing([1]) == {"split": 2}
    assert labels.activate([1, 2])


def test_a_label_in_force_outlives_its_version() -> None:
    """What was set stays set; the version may come back."""
    labels = Labels()
    labels.want({"stable": {1: 1.0}})
    labels.activate([1])
    labels.activate([])
    assert labels.targets == {"stable": {1: 1.0}}
    labels.want({"stable": {1: 1.0}, "new": {2: 1.0}})
    assert labels.activate([2]), "a label that stays where it is does not wait"


def test_new_labels_may_name_what_is_not_there_if_that_is_allowed() -> None:
    labels = Labels(allow_unavailable=True)
    labels.want({"next": {9: 1.0}})
    assert labels.activate([])
    assert labels.targets == {"next": {9: 1.0}}
    labels.want({"next": {10: 1.0}})
    assert not labels.activate([]), "a label in use may not move to a version that is not there"
    assert labels.activate([10])


def test_a_label_that_stays_keeps_its_turn() -> None:
    labels = Labels()
    labels.want({"split": {1: 3.0, 2: 1.0}})
    labels.activate([1, 2])
    split = labels.get("split")
    assert split is not None
    before = choices(split, 2)
    labels.want({"split": {1: 3.0, 2: 1.0}, "new": {1: 1.0}})
    labels.activate([1, 2])
    split = labels.get("split")
    assert split is not None
    assert [*before, *choices(split, 2)] == [1, 1, 2, 1]


def test_all_labels_can_be_taken_away() -> None:
    labels = Labels()
    labels.want({"stable": {1: 1.0}})
    labels.activate([1])
    labels.want({})
    assert labels.activate([])
    assert (labels.targets, labels.versions()) == ({}, frozenset())
