"""Versions, labels, shadows and the request log: values, inheritance, contradictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Loaded, ModelSettings, ResolvedModel, Settings, ShadowSettings
from gateway.config.inherited import Overrides

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

MODEL = "[models.m]\nbase_path = '/m'\n"


@pytest.fixture
def model(configure: Configure) -> Callable[[str], ResolvedModel]:
    return lambda toml: configure(toml=MODEL + toml).settings.for_model("m")


Model = Callable[[str], ResolvedModel]


@pytest.mark.parametrize("policy", ["latest", "latest:1", "latest:12", "all", "specific:1,3"])
def test_version_policies(model: Model, policy: str) -> None:
    assert model(f"model_version_policy = '{policy}'").model_version_policy == policy


@pytest.mark.parametrize(
    ("toml", "labels"),
    [
        ("stable = 1", {"stable": 1}),
        ('canary = {"1" = 9, "2" = 0.5}', {"canary": {1: 9.0, 2: 0.5}}),
        ("'übung' = 0", {"übung": 0}),
    ],
)
def test_labels(model: Model, toml: str, labels: dict[str, Any]) -> None:
    assert model(f"[models.m.version_labels]\n{toml}").version_labels == labels


def test_labels_made_in_code() -> None:
    settings = ModelSettings(version_labels={"a": {1: 0.5, 2: 0.5}, "b": 3})
    assert settings.version_labels == {"a": {1: 0.5, 2: 0.5}, "b": 3}


def test_a_shadow(model: Model) -> None:
    assert model("shadow = {version = 2}").shadow == ShadowSettings(version=2)
    shadow = model("shadow = {version = 2, fraction = 0.1, tolerance = 0}").shadow
    assert shadow == ShadowSettings(version=2, fraction=0.1, tolerance=0.0)


def test_a_shadow_in_the_environment(configure: Configure) -> None:
    loaded = configure(
        toml=MODEL, environ={"GATEWAY_MODEL__M__SHADOW": '{"version": 2, "fraction": 0.5}'}
    )
    assert loaded.settings.for_model("m").shadow == ShadowSettings(version=2, fraction=0.5)


TARGET = 'must be a version, or weights by version like {"1": 0.9, "2": 0.1}'


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ("model_version_policy = 'newest'", 'model_version_policy must be "latest", "latest:N", '),
        ("model_version_policy = 'specific:'", 'model_version_policy must be "latest"'),
        ("model_version_policy = 2", "model_version_policy must be a text, not 2"),
        ("version_labels = {a = -1}", f"version_labels.a {TARGET}, not -1"),
        ("version_labels = {a = true}", f"version_labels.a {TARGET}, not true"),
        ("version_labels = {a = 'x'}", f'version_labels.a {TARGET}, not "x"'),
        ("version_labels = {a = {x = 1}}", f"version_labels.a {TARGET}, not"),
        ("version_labels = {a = {}}", "version_labels.a must have a weight for at least one"),
        (
            "version_labels = {a = {1 = 0}}",
            "version_labels.a must have positive, finite weights, not",
        ),
        ("version_labels = {a = {1 = -0.1}}", "version_labels.a must have positive, finite"),
        ("version_labels = {a = {1 = inf}}", "version_labels.a must have positive, finite"),
        ("version_labels = {a = {1 = nan}}", "version_labels.a must have positive, finite"),
        ("version_labels = {a = {1 = true}}", "version_labels.a must have numbers as weights"),
        ("version_labels = {a = {1 = 1, 01 = 1}}", "version_labels.a must not name a version"),
        ("version_labels = {'a/b' = 1}", 'version_labels."a/b" must be a label: not empty'),
        ("version_labels = {'' = 1}", 'version_labels."" must be a label: not empty'),
        ("shadow = {}", "shadow.version is missing"),
        ("shadow = {version = -1}", "shadow.version must be at least 0, not -1"),
        ("shadow = {version = 1, fraction = 2}", "shadow.fraction must be at most 1, not 2"),
        ("shadow = {version = 1, tolerance = -1}", "shadow.tolerance must be at least 0, not -1"),
        (
            "shadow = {version = 1, share = 1}",
            "shadow.share is not a setting (tensorgate.toml)",
        ),
        ("step_back_window_s = 0", "step_back_window_s must be more than 0, not 0"),
        ("step_back_min_requests = 0", "step_back_min_requests must be at least 1, not 0"),
        ("request_log_sampling_rate = 1.1", "request_log_sampling_rate must be at most 1"),
        ("request_log_format = 'csv'", "request_log_format must be 'jsonl' or 'tfrecord'"),
        ("request_log_max_bytes = 0", "request_log_max_bytes must be at least 1, not 0"),
        (
            "version_swap = 'slow'",
            "version_swap must be 'availability_preserving' or 'resource_preserving'",
        ),
    ],
)
def test_values_that_are_refused(refuse: Refuse, toml: str, line: str) -> None:
    assert refuse(toml=MODEL + toml).startswith(f"models.m.{line}")


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        (
            "default_label = 'x'",
            'models.m.default_label = "x" (tensorgate.toml) is not among '
            "models.m.version_labels = {} (default)",
        ),
        (
            "model_version_policy = 'specific:1'\nversion_labels = {a = 1, b = 2}",
            'models.m.version_labels = {"a": 1, "b": 2} (tensorgate.toml): "b" names version 2, '
            'which is not in models.m.model_version_policy = "specific:1" (tensorgate.toml)',
        ),
        (
            "model_version_policy = 'specific:1'\nversion_labels = {a = {1 = 1, 3 = 1}}",
            'models.m.version_labels = {"a": {"1": 1.0, "3": 1.0}} (tensorgate.toml): "a" names '
            'version 3, which is not in models.m.model_version_policy = "specific:1" '
            "(tensorgate.toml)",
        ),
        (
            "model_version_policy = 'specific:1,2'\nshadow = {version = 3}",
            "models.m.shadow = ",
        ),
    ],
)
def test_contradictions(refuse: Refuse, toml: str, line: str) -> None:
    assert refuse(toml=MODEL + toml).startswith(line)


def test_what_fits_the_pinned_versions_is_accepted(model: Model) -> None:
    settings = model(
        "model_version_policy = 'specific:1,2'\nversion_labels = {a = 1, b = {1 = 1, 2 = 1}}\n"
        "default_label = 'b'\nshadow = {version = 2}"
    )
    assert settings.default_label == "b"


def test_models_of_one_request_log_must_agree(configure: Configure, refuse: Refuse) -> None:
    toml = "request_log = '/log'\n[models.a]\nbase_path='/a'\n[models.b]\nbase_path = '/b'\n"
    configure(toml=toml + "request_log_sampling_rate = 0.5")
    configure(toml=toml + "request_log_format = 'tfrecord'\nrequest_log = '/other'")
    configure(toml=toml + "request_log_format = 'tfrecord'\nrequest_log = ''")
    assert refuse(toml=toml + "request_log_format = 'tfrecord'") == (
        'models.b.request_log_format = "tfrecord" (tensorgate.toml) differs from '
        'models.a.request_log_format = "jsonl" (inherited, default), but both log to "/log"'
    )


OTHER_THAN_DEFAULT: dict[str, Any] = {
    "batching": "off",
    "max_batch_size": 32,
    "adaptive_batching": False,
    "batch_timeout_ms": 1.5,
    "max_queue_rows": 50,
    "queue_budget_ms": 2.5,
    "allowed_batch_sizes": (1, 5),
    "split_large_requests": False,
    "pad_variable_length_inputs": True,
    "isolate_failures": False,
    "warmup": False,
    "version_swap": "resource_preserving",
    "servable_versions_always_present": False,
    "golden_answers": "golden.json",
    "step_back": True,
    "step_back_min_requests": 7,
    "step_back_window_s": 8.5,
    "request_log": "/log",
    "request_log_format": "tfrecord",
    "request_log_sampling_rate": 0.5,
    "request_log_max_bytes": 1000,
    "request_log_max_files": 2,
}


@pytest.mark.parametrize("name", Overrides.model_fields)
def test_every_inherited_setting_is_the_servers_unless_the_model_has_its_own(name: str) -> None:
    value = OTHER_THAN_DEFAULT[name]
    default = getattr(Settings(), name)
    models = {"m": ModelSettings(base_path="/m")}
    assert getattr(Settings(models=models).for_model("m"), name) == default != value
    assert getattr(Settings(models=models, **{name: value}).for_model("m"), name) == value
    own = {"m": ModelSettings(base_path="/m", **{name: value})}
    assert getattr(Settings(models=own).for_model("m"), name) == value
    back = {"m": ModelSettings(base_path="/m", **{name: default})}
    assert getattr(Settings(models=back, **{name: value}).for_model("m"), name) == default


def test_the_request_log_may_be_relative(configure: Configure, tmp_path: Path) -> None:
    loaded = configure(toml=MODEL, flags={"request_log": "requests.jsonl"})
    assert loaded.settings.for_model("m").request_log == str(tmp_path / "requests.jsonl")
