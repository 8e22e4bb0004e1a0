"""Priorities, time-outs and bounds of a model's queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config import Loaded

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

BASE = '[models.m]\nbase_path = "/m"\n'


def test_defaults(configure: Configure) -> None:
    model = configure(toml=BASE).settings.for_model("m")
    assert (model.priority_levels, model.default_priority_level) == (0, 0)
    assert (model.queue_timeout_us, model.queue_timeout_action) == (0, "reject")
    assert (model.allow_timeout_override, model.max_queue_size) == (True, 0)
    assert (model.priority_queue_policies, model.preserve_ordering) == ({}, False)


def test_all_of_them_in_toml(configure: Configure) -> None:
    toml = BASE + (
        "priority_levels = 3\ndefault_priority_level = 2\nqueue_timeout_us = 1000\n"
        'queue_timeout_action = "DELAY"\nallow_timeout_override = false\nmax_queue_size = 7\n'
        "preserve_ordering = true\n"
        "[models.m.priority_queue_policies]\n"
        '1 = { timeout_us = 5, max_queue_size = 1 }\n3 = { timeout_action = "delay" }\n'
    )
    model = configure(toml=toml).settings.for_model("m")
    assert (model.priority_levels, model.default_priority_level) == (3, 2)
    assert (model.queue_timeout_us, model.queue_timeout_action) == (1000, "delay")
    assert (model.allow_timeout_override, model.max_queue_size) == (False, 7)
    assert model.preserve_ordering
    first, third = model.priority_queue_policies[1], model.priority_queue_policies[3]
    assert (first.timeout_us, first.timeout_action, first.max_queue_size) == (5, "reject", 1)
    assert (third.timeout_us, third.timeout_action, third.allow_timeout_override) == (
        0,
        "delay",
        True,
    )


def test_from_the_environment(configure: Configure) -> None:
    environ = {
        "GATEWAY_MODEL__M__PRIORITY_LEVELS": "2",
        "GATEWAY_MODEL__M__DEFAULT_PRIORITY_LEVEL": "1",
        "GATEWAY_MODEL__M__PRIORITY_QUEUE_POLICIES": '{"2": {"timeout_us": 9}}',
    }
    model = configure(environ=environ, toml=BASE).settings.for_model("m")
    assert model.priority_queue_policies[2].timeout_us == 9


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("priority_levels = 2", "models.m.default_priority_level = 0 (default) must be from 1 to"),
        ("priority_levels = 2\ndefault_priority_level = 3", "to priority_levels = 2, not 3"),
        ("default_priority_level = 1", "needs priority_levels"),
        ("priority_levels = 65536\ndefault_priority_level = 1", "must be at most 65535"),
        ("priority_levels = -1", "must be at least 0"),
        ("queue_timeout_us = -1", "must be at least 0"),
        ("max_queue_size = 1.5", "must be a whole number"),
        ('queue_timeout_action = "drop"', "must be 'reject' or 'delay'"),
        (
            "priority_levels = 1\ndefault_priority_level = 1\n"
            "[models.m.priority_queue_policies]\n2 = {}",
            "has the level 2, but priority_levels is 1",
        ),
        ("[models.m.priority_queue_policies]\n0 = {}", "must be at least 1"),
        ("[models.m.priority_queue_policies]\n1 = { timeout = 3 }", "timeout is not a setting"),
    ],
)
def test_mistakes_are_named(refuse: Refuse, settings: str, complaint: str) -> None:
    message = refuse(toml=BASE + settings)
    assert complaint in message
    assert "models.m." in message


def test_what_a_repository_says_cannot_be_said_elsewhere(refuse: Refuse, configure: Any) -> None:
    assert "models.m.triton" in refuse(toml=f"{BASE}triton = 1")
    message = refuse(environ={"GATEWAY_MODEL__M__TRITON": "{}"}, toml=BASE)
    assert "TRITON is not a setting" in message
