"""Settings that cannot hold together, each refused with one line that quotes both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config import Loaded

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

MODEL = "[models.m]\nbase_path = '/m'\n"

SERVER = [
    (
        {"flags": {"max_batch_size": "64"}, "environ": {"GATEWAY_MAX_QUEUE_ROWS": "32"}},
        "max_batch_size = 64 (flag --max_batch_size) exceeds max_queue_rows = 32 "
        "(environment GATEWAY_MAX_QUEUE_ROWS): a full batch would not fit the queue",
    ),
    (
        {"toml": "allowed_batch_sizes = [1, 8]"},
        "allowed_batch_sizes = [1, 8] (tensorgate.toml) must end with "
        "max_batch_size = 32 (default)",
    ),
    (
        {"flags": {"batch_timeout_ms": "100", "rest_api_timeout_in_ms": "100"}},
        "batch_timeout_ms = 100.0 (flag --batch_timeout_ms) is not below "
        "rest_api_timeout_in_ms = 100 (flag --rest_api_timeout_in_ms): "
        "requests would expire before their batch",
    ),
    (
        {"flags": {"queue_budget_ms": "30001"}},
        "queue_budget_ms = 30001.0 (flag --queue_budget_ms) exceeds "
        "rest_api_timeout_in_ms = 30000 (default): requests would expire in the queue first",
    ),
    (
        {"flags": {"queue_budget_ms": "5", "batch_timeout_ms": "6"}},
        "batch_timeout_ms = 6.0 (flag --batch_timeout_ms) exceeds queue_budget_ms = 5.0 "
        "(flag --queue_budget_ms): waiting for a fuller batch would use up the budget",
    ),
    (
        {"flags": {"port": "8501"}},
        "port = 8501 (flag --port) is the same as rest_api_port = 8501 (default)",
    ),
]


@pytest.mark.parametrize(("given", "line"), SERVER)
def test_of_the_server(refuse: Refuse, given: dict[str, Any], line: str) -> None:
    assert refuse(**given) == line


PER_MODEL = [
    (
        {"toml": "max_queue_rows = 40\n" + MODEL + "max_batch_size = 64"},
        "models.m.max_batch_size = 64 (tensorgate.toml) exceeds "
        "models.m.max_queue_rows = 40 (inherited, tensorgate.toml): "
        "a full batch would not fit the queue",
    ),
    (
        {"toml": MODEL, "environ": {"GATEWAY_MODEL__M__ALLOWED_BATCH_SIZES": "1,2"}},
        "models.m.allowed_batch_sizes = [1, 2] (environment GATEWAY_MODEL__M__ALLOWED_BATCH_SIZES)"
        " must end with models.m.max_batch_size = 32 (inherited, default)",
    ),
    (
        {"toml": MODEL + "batch_timeout_ms = 30_000"},
        "models.m.batch_timeout_ms = 30000 (tensorgate.toml) is not below "
        "rest_api_timeout_in_ms = 30000 (default): requests would expire before their batch",
    ),
    (
        {"toml": MODEL + "devices = ['cpu:1']", "flags": {"devices": "cpu:0"}},
        'models.m.devices = ["cpu:1"] (tensorgate.toml) is not among '
        'devices = ["cpu:0"] (flag --devices)',
    ),
    (
        {"toml": MODEL + "length_patience_ms = 50", "flags": {"rest_api_timeout_in_ms": "50"}},
        "models.m.length_patience_ms = 50.0 (tensorgate.toml) is not below "
        "rest_api_timeout_in_ms = 50 (flag --rest_api_timeout_in_ms): a row passed over would "
        "expire",
    ),
]


@pytest.mark.parametrize(("given", "line"), PER_MODEL)
def test_of_a_model(refuse: Refuse, given: dict[str, Any], line: str) -> None:
    assert refuse(**given).replace("30000.0", "30000") == line


PADDING = "[models.m.padding.ids]\naxes = [1]\n"
PADDING_RULES = [
    (
        PADDING + "mask_input = 'ids'",
        'models.m.padding: "ids" cannot be padded and be filled for "ids"',
    ),
    (
        PADDING + "length_input = 'n'\nmask_input = 'n'",
        'models.m.padding: "n" would be filled twice, for "ids" and for "ids"',
    ),
    (
        PADDING + "mask_input = 'k'\n[models.m.padding.other]\naxes = [1]\nmask_input = 'k'",
        'models.m.padding: "k" would be filled twice, for "ids" and for "other"',
    ),
    (
        PADDING + "[models.m.trim.y]\n1 = 'ids:2'",
        'models.m.trim: axis 1 of "y" follows axis 2 of "ids", which is not padded',
    ),
    (
        "[models.m.trim.y]\n1 = 'ids:1'",
        'models.m.trim: axis 1 of "y" follows axis 1 of "ids", which is not padded',
    ),
    (PADDING + "mask_input = ''", "models.m.padding.ids.mask_input must be a text of at least 1"),
    ("[models.m.padding.ids]\naxes = [0]", "models.m.padding.ids.axes must be at least 1, not 0"),
    (
        "[models.m.padding.ids]\naxes = []",
        "models.m.padding.ids.axes must name at least one, not []",
    ),
    ("[models.m.padding.ids]\nvalue = 1", "models.m.padding.ids.axes is missing"),
    (PADDING + "value = [1]", "models.m.padding.ids.value must be a number, a text, true or false"),
    (PADDING + "buckets = [8, 8]", "models.m.padding.ids.buckets must be ascending"),
    ("[models.m.trim.y]\n0 = 'ids:1'", 'models.m.trim.y.0 must be at least 1, not "0"'),
    ("[models.m.trim.y]\nx = 'ids:1'", 'models.m.trim.y.x must be a whole number, not "x"'),
    ("[models.m.trim.y]\n1 = 'ids'", 'models.m.trim.y.1 must be written "INPUT:AXIS"'),
]


@pytest.mark.parametrize(("rules", "line"), PADDING_RULES)
def test_of_padding_rules(refuse: Refuse, rules: str, line: str) -> None:
    message = refuse(toml=MODEL + rules)
    assert message.startswith(line)
    assert message.endswith("(tensorgate.toml)")


@pytest.mark.parametrize(
    "given",
    [
        {"flags": {"max_batch_size": "32", "max_queue_rows": "32"}},
        {"flags": {"allowed_batch_sizes": "1,4,8", "max_batch_size": "8"}},
        {"flags": {"queue_budget_ms": "30000", "batch_timeout_ms": "29999.9"}},
        {"flags": {"port": "0", "rest_api_port": "0"}},
        {"flags": {"devices": "cpu:0,cpu:1"}, "toml": MODEL + "devices = ['cpu:1']"},
        {"toml": MODEL + "devices = ['gpu:7']"},
        {"toml": "allowed_batch_sizes = [32]\n" + MODEL + "allowed_batch_sizes = []"},
        {
            "toml": "allowed_batch_sizes = [32]\n"
            + MODEL
            + "allowed_batch_sizes = [4]\nmax_batch_size = 4"
        },
        {
            "toml": MODEL + PADDING + "value = -inf\nmask_input = 'mask'\nlength_input = 'n'\n"
            "[models.m.trim.y]\n2 = 'ids:1'"
        },
    ],
)
def test_what_just_holds_together_is_accepted(configure: Configure, given: dict[str, Any]) -> None:
    configure(**given)
