"""Contradictions in a policy are refused, and the message says which."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import pytest

from batching import BatchPolicy, Padding, PadInput

IDS = {"ids": PadInput(axes=(1, 3))}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_batch_size": 0}, "max_batch_size must be positive: 0"),
        ({"max_batch_size": -3}, "max_batch_size must be positive: -3"),
        ({"batch_timeout": -0.1}, "batch_timeout must not be negative: -0.1"),
        ({"queue_budget": 0.0}, "queue_budget must be positive: 0.0"),
        ({"queue_budget": -1.0}, "queue_budget must be positive: -1.0"),
        ({"max_reruns": -1}, "max_reruns must not be negative: -1"),
        (
            {"max_batch_size": 8, "max_queue_rows": 7},
            "max_queue_rows (7) is below max_batch_size (8): a full batch could never wait",
        ),
        (
            {"max_batch_size": 8, "allowed_batch_sizes": (0, 8)},
            "allowed_batch_sizes must be positive: [0, 8]",
        ),
        (
            {"max_batch_size": 8, "allowed_batch_sizes": (4, 2, 8)},
            "allowed_batch_sizes must be ascending and distinct: [4, 2, 8]",
        ),
        (
            {"max_batch_size": 8, "allowed_batch_sizes": (4, 4, 8)},
            "allowed_batch_sizes must be ascending and distinct: [4, 4, 8]",
        ),
        (
            {"max_batch_size": 8, "allowed_batch_sizes": (2, 4)},
            "the last of allowed_batch_sizes (4) must equal max_batch_size (8)",
        ),
        (
            {"max_batch_size": 8, "allowed_batch_sizes": (8, 16)},
            "the last of allowed_batch_sizes (16) must equal max_batch_size (8)",
        ),
    ],
)
def test_contradictions(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        BatchPolicy(**options)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axes": ()}, "padding needs at least one axis"),
        ({"axes": (0,)}, "axis 0 is the batch and is never padded"),
        ({"axes": (-1,)}, "axis 0 is the batch and is never padded"),
        ({"axes": (1, 1)}, "axes are not distinct: (1, 1)"),
        ({"buckets": (0, 8)}, "buckets must be positive: [0, 8]"),
        ({"buckets": (8, 4)}, "buckets must be ascending and distinct: [8, 4]"),
    ],
)
def test_contradictions_of_a_padded_input(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        PadInput(**options)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": -1.0}, "patience must not be negative: -1.0"),
        ({"trim": {"y": {0: ("ids", 1)}}}, "trim of 'y': axis 0 is the batch"),
        ({"trim": {"y": {1: ("ids", 2)}}}, "trim of 'y': axis 2 of 'ids' is not padded"),
        ({"trim": {"y": {1: ("x", 1)}}}, "trim of 'y': axis 1 of 'x' is not padded"),
    ],
)
def test_contradictions_of_padding(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        Padding(IDS, **options)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "policy",
    [
        BatchPolicy(),
        BatchPolicy(max_batch_size=1, max_queue_rows=1),
        BatchPolicy(batch_timeout=0.0, max_reruns=0, rerun_seconds_per_minute=0.0),
        BatchPolicy(max_batch_size=8, allowed_batch_sizes=(1, 2, 8)),
        BatchPolicy(max_batch_size=8, allowed_batch_sizes=(8,)),
        BatchPolicy(padding=Padding(IDS, {"y": {1: ("ids", 3)}}, patience=0.5)),
        BatchPolicy(padding=Padding(IDS, patience=math.inf)),
    ],
)
def test_the_limits_themselves_are_allowed(policy: BatchPolicy) -> None:
    assert dataclasses.replace(policy) == policy


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (BatchPolicy(max_batch_size=4), math.inf),
        (BatchPolicy(max_batch_size=4, split=False), 4),
        (BatchPolicy(max_batch_size=4, enabled=False), math.inf),
        (BatchPolicy(max_batch_size=4, enabled=False, split=False), math.inf),
    ],
)
def test_max_item_rows(policy: BatchPolicy, expected: float) -> None:
    assert policy.max_item_rows == expected


@pytest.mark.parametrize(
    ("sizes", "rows", "expected"),
    [((), 3, 3), ((2, 4, 8), 1, 2), ((2, 4, 8), 2, 2), ((2, 4, 8), 5, 8), ((2, 4, 8), 9, 9)],
)
def test_round_up(sizes: tuple[int, ...], rows: int, expected: int) -> None:
    policy = BatchPolicy(max_batch_size=8, allowed_batch_sizes=sizes)
    assert policy.round_up(rows) == expected


def test_filled_inputs() -> None:
    padding = Padding(
        {"a": PadInput(mask_input="m"), "b": PadInput(length_input="n"), "c": PadInput()}
    )
    assert padding.filled_inputs == {"m", "n"}


def test_a_policy_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        BatchPolicy().max_batch_size = 2  # type: ignore[misc]
