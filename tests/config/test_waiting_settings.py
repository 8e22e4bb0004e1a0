"""Priority levels, queue time-outs and order of answers, by model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from batching import BatchPolicy, LevelPolicy
from gateway.backends.base import Signature, TensorSpec
from gateway.config import Loaded
from gateway.models.policies import batch_policy

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

MODEL = "[models.m]\nbase_path = '/m'\n"
INPUT = TensorSpec("x", np.dtype(np.float32), "DT_FLOAT", (None,))


def policy(loaded: Loaded) -> BatchPolicy:
    return batch_policy(loaded.settings.for_model("m"), Signature("s", {"x": INPUT}, {}), "")


def test_nothing_set_is_order_of_arrival(configure: Configure) -> None:
    found = policy(configure(toml=MODEL))
    assert not found.has_levels
    assert not found.preserve_ordering


def test_everything_set(configure: Configure) -> None:
    toml = (
        MODEL
        + """
    priority_levels = 3
    default_priority_level = 2
    queue_timeout_ms = 500
    queue_timeout_action = "DELAY"
    allow_timeout_override = true
    relief_every = 4
    preserve_ordering = true
    [models.m.level_policies.1]
    queue_timeout_ms = 50
    max_queue_size = 7
    """
    )
    found = policy(configure(toml=toml))
    assert (found.priority_levels, found.default_priority_level) == (3, 2)
    assert found.of_level(1) == LevelPolicy(0.05, "reject", max_queue_size=7)
    assert found.of_level(3) == LevelPolicy(0.5, "delay", allow_timeout_override=True)
    assert (found.relief_every, found.preserve_ordering) == (4, True)


def test_by_default_a_request_has_the_lowest_level(configure: Configure) -> None:
    found = policy(configure(toml=MODEL + "priority_levels = 3"))
    assert found.level_of(0) == 3


def test_time_outs_need_no_levels(configure: Configure) -> None:
    found = policy(configure(environ={"GATEWAY_MODEL__M__QUEUE_TIMEOUT_MS": "20"}, toml=MODEL))
    assert found.has_levels
    assert found.of_level(1).queue_timeout == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        (
            "default_priority_level = 1",
            "models.m.default_priority_level = 1 (tensorgate.toml), but models.m.priority_levels "
            "is 0",
        ),
        (
            "priority_levels = 2\nlevel_policies = {1 = {}, 3 = {}, 5 = {}}",
            "models.m.level_policies (tensorgate.toml) names level 3, 5, but "
            "models.m.priority_levels is 2",
        ),
        (
            "priority_levels = 2\nlevel_policies = {1 = {max_queue = 3}}",
            "models.m.level_policies.1.max_queue is not a setting (tensorgate.toml); did you mean "
            "max_queue_size?",
        ),
        (
            "queue_timeout_action = 'drop'",
            "models.m.queue_timeout_action must be 'reject' or 'delay', not \"drop\" "
            "(tensorgate.toml)",
        ),
        (
            "priority_levels = 2\nlevel_policies = {0 = {}}",
            'models.m.level_policies.0 must be at least 1, not "0" (tensorgate.toml)',
        ),
    ],
)
def test_what_cannot_be_is_refused(refuse: Refuse, toml: str, line: str) -> None:
    assert refuse(toml=MODEL + toml) == line
