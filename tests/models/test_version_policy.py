"""Which versions a policy selects, and how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model_settings import ModelSettings
from gateway.config.version_fields import LARGEST_VERSION
from gateway.models.version_policy import VersionPolicy, parse_version_policy

VERSIONS = st.sets(st.integers(0, 20))


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("latest", VersionPolicy()),
        ("latest:1", VersionPolicy()),
        ("latest:3", VersionPolicy(count=3)),
        ("latest:0", VersionPolicy(count=1)),
        ("latest:007", VersionPolicy(count=7)),
        (" latest", VersionPolicy()),
        ("latest : 2", VersionPolicy(count=2)),
        ("all", VersionPolicy("all")),
        ("specific:1", VersionPolicy("specific", versions=frozenset({1}))),
        ("specific:3, 1,3", VersionPolicy("specific", versions=frozenset({1, 3}))),
        ("specific:00123", VersionPolicy("specific", versions=frozenset({123}))),
    ],
)
def test_texts(text: str, policy: VersionPolicy) -> None:
    assert parse_version_policy(text) == policy


NO_POLICIES = (
    *("", "newest", "ALL", "all:2", "latest:", "latest:-1", "latest:1.5", "latest:٣", "latest\n:1"),
    *("specific", "specific:", "specific:1,", "specific:,1", "specific:a", "specific:-1"),
)


@pytest.mark.parametrize("text", NO_POLICIES)
def test_texts_that_are_no_policy(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_version_policy(text)


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        (f"specific:{LARGEST_VERSION}", {LARGEST_VERSION}),
        (f"specific:{2:030}", {2}),
        (f"latest:{10**12}", {2, LARGEST_VERSION}),
        (f"latest:{1:030}", {LARGEST_VERSION}),
    ],
)
def test_what_the_configuration_takes_is_understood(text: str, selected: set[int]) -> None:
    model = ModelSettings(model_version_policy=text)
    policy = parse_version_policy(model.model_version_policy)
    assert policy.select({2, LARGEST_VERSION}) == selected


@given(VERSIONS, st.integers(1, 25))
def test_latest_selects_the_highest(present: set[int], count: int) -> None:
    selected = VersionPolicy(count=count).select(present)
    assert len(selected) == min(count, len(present))
    assert all(chosen > other for chosen in selected for other in present - selected)


@given(VERSIONS, VERSIONS)
def test_specific_and_all_select_what_is_there(present: set[int], asked: set[int]) -> None:
    assert VersionPolicy("all").select(present) == present
    specific = VersionPolicy("specific", versions=frozenset(asked))
    assert specific.select(present) == present & asked
