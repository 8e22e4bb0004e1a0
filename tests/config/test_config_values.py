"""What a single value may be, from text and from TOML, and the line that refuses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Loaded, Settings, parse_axis_reference
from gateway.config.text import decode

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        ("rest_api_port", "9000", 9000),
        ("batch_timeout_ms", "2", 2.0),
        ("batch_timeout_ms", "0.5", 0.5),
        ("server_timing", "true", True),
        ("server_timing", "ON", True),
        ("warmup", "0", False),
        ("warmup", "false", False),
        ("batching", "OFF", "off"),
        ("log_level", "WARNING", "warning"),
        ("devices", "cpu:0, cpu:1", ("cpu:0", "cpu:1")),
        ("devices", '["gpu:10"]', ("gpu:10",)),
        ("devices", "", ()),
        ("allowed_batch_sizes", "1,8,32", (1, 8, 32)),
        ("allowed_batch_sizes", "[]", ()),
        ("model_name", "007", "007"),
        ("host", "::1", "::1"),
        ("monitoring_path", "", ""),
        ("monitoring_path", "/metrics/tf", "/metrics/tf"),
        ("file_system_poll_wait_seconds", "-0.5", -0.5),
        ("model_config_file_poll_wait_seconds", "-5", 0.0),
        ("request_log_sampling_rate", "1", 1.0),
        ("version_swap", "Resource_Preserving", "resource_preserving"),
        ("saved_model_tags", "serve,tpu", ("serve", "tpu")),
        ("host", "0.0.0.0", "0.0.0.0"),
    ],
)
def test_text_becomes_the_settings_type(
    configure: Configure, setting: str, text: str, value: object
) -> None:
    got = getattr(configure(flags={setting: text}).settings, setting)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("setting", "text", "line"),
    [
        ("max_batch_size", "many", 'max_batch_size must be a whole number, not "many"'),
        ("max_batch_size", "1.5", 'max_batch_size must be a whole number, not "1.5"'),
        ("max_batch_size", "", 'max_batch_size must be a whole number, not ""'),
        ("max_batch_size", "0", "max_batch_size must be at least 1, not 0"),
        ("rest_api_port", "65536", "rest_api_port must be at most 65535, not 65536"),
        ("rest_api_timeout_in_ms", "0", "rest_api_timeout_in_ms must be at least 1, not 0"),
        ("batch_timeout_ms", "-1", "batch_timeout_ms must be at least 0, not -1.0"),
        ("batch_timeout_ms", "nan", "batch_timeout_ms must be a finite number, not NaN"),
        ("batch_timeout_ms", "soon", 'batch_timeout_ms must be a number, not "soon"'),
        ("warmup", "maybe", 'warmup must be true or false, not "maybe"'),
        ("batching", "never", "batching must be 'auto', 'on' or 'off', not \"never\""),
        ("devices", "cpu", 'devices must be written like "cpu:0" or "gpu:1", not "cpu"'),
        ("devices", "cpu:01", 'devices must be written like "cpu:0" or "gpu:1", not "cpu:01"'),
        ("devices", "cpu:0,", 'devices must be written like "cpu:0" or "gpu:1", not ""'),
        (
            "devices",
            "cpu:0,cpu:0",
            'devices must not name anything twice, not ["cpu:0", "cpu:0"]',
        ),
        ("devices", "[", "flag --devices is not valid JSON: Expecting value at column 2"),
        (
            "allowed_batch_sizes",
            "8,4,32",
            "allowed_batch_sizes must be ascending, without repeats, not [8, 4, 32]",
        ),
        ("allowed_batch_sizes", "0,32", "allowed_batch_sizes must be at least 1, not 0"),
        (
            "monitoring_path",
            "metrics",
            'monitoring_path must be a URL path that starts with "/", or empty, not "metrics"',
        ),
        (
            "monitoring_path",
            "/m?x",
            'monitoring_path must be a URL path that starts with "/", or empty, not "/m?x"',
        ),
        (
            "request_log_sampling_rate",
            "-0.1",
            "request_log_sampling_rate must be at least 0, not -0.1",
        ),
        ("step_back_window_s", "0", "step_back_window_s must be more than 0, not 0.0"),
        (
            "file_system_poll_wait_seconds",
            "inf",
            "file_system_poll_wait_seconds must be a finite number, not Infinity",
        ),
        ("host", "", 'host must be a host name or an address, not ""'),
        ("host", "http://x", 'host must be a host name or an address, not "http://x"'),
        (
            "host",
            "0.0.0.0:80",
            'host must be an address without a port (see rest_api_port), not "0.0.0.0:80"',
        ),
        (
            "model_name",
            "a/b",
            "model_name must be a model name: not empty, without / and : (it is part of URLs), "
            'not "a/b"',
        ),
        (
            "model_base_path",
            "gs://b/m",
            "model_base_path must be a local folder: this version does not read from URIs, "
            'not "gs://b/m"',
        ),
    ],
)
def test_a_bad_value_is_one_line(refuse: Refuse, setting: str, text: str, line: str) -> None:
    suffix = "" if "JSON" in line else f" (flag --{setting})"
    assert refuse(flags={setting: text}) == line + suffix


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ("max_batch_size = true", "max_batch_size must be a whole number, not true"),
        ("max_batch_size = 8.0", "max_batch_size must be a whole number, not 8.0"),
        ('max_batch_size = "8"', 'max_batch_size must be a whole number, not "8"'),
        ("server_timing = 1", "server_timing must be true or false, not 1"),
        ("host = 5", "host must be a text, not 5"),
        ('devices = "cpu:0"', 'devices must be a list, not "cpu:0"'),
        ("[port]\nx = 1", 'port must be a whole number, not {"x": 1}'),
        ("models = 5", "models must be a table, not 5"),
        ("models.m = 5", "models.m must be a table, not 5"),
        ("batching = false", "batching must be 'auto', 'on' or 'off', not false"),
    ],
)
def test_toml_values_have_their_own_types(refuse: Refuse, toml: str, line: str) -> None:
    assert refuse(toml=toml) == f"{line} (tensorgate.toml)"


def test_the_value_is_cut_and_stays_on_the_line(refuse: Refuse) -> None:
    message = refuse(flags={"max_batch_size": "x\n" * 100})
    assert len(message) < 200


def test_several_mistakes_are_counted(refuse: Refuse) -> None:
    assert refuse(toml="port = -1\nhost = 1\ndevices = 1").endswith("(2 more after this one)")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"toml": "max_batchsize = 8"},
            "max_batchsize is not a setting (tensorgate.toml); did you mean max_batch_size?",
        ),
        ({"toml": "zzz = 8"}, "zzz is not a setting (tensorgate.toml)"),
        (
            {"toml": "[models.m]\nbasepath = '/m'"},
            "models.m.basepath is not a setting (tensorgate.toml); did you mean base_path?",
        ),
        (
            {"toml": "[models.m.padding.ids]\naxes = [1]\nmask = 'x'"},
            "models.m.padding.ids.mask is not a setting (tensorgate.toml)"
            "; did you mean mask_input?",
        ),
        (
            {"environ": {"GATEWAY_MAX_BATCHSIZE": "8"}},
            "environment GATEWAY_MAX_BATCHSIZE is not a setting"
            "; did you mean GATEWAY_MAX_BATCH_SIZE?",
        ),
        (
            {"environ": {"GATEWAY_CONFIGS": "x"}},
            "environment GATEWAY_CONFIGS is not a setting; did you mean GATEWAY_CONFIG?",
        ),
        ({"environ": {"GATEWAY_MODELS": "x"}}, "environment GATEWAY_MODELS is not a setting"),
        (
            {"flags": {"max_batchsize": "8"}},
            "flag --max_batchsize is not known; did you mean max_batch_size?",
        ),
    ],
)
def test_unknown_names_are_refused_with_a_suggestion(
    refuse: Refuse, given: dict[str, Any], line: str
) -> None:
    assert refuse(**given).startswith(line)


@given(st.integers(min_value=1, max_value=2**31))
def test_whole_numbers_survive_their_text(number: int) -> None:
    assert decode(str(number), Settings, "max_batch_size", "test") == number


@given(st.floats(min_value=0, allow_infinity=False))
def test_numbers_survive_their_text(number: float) -> None:
    assert decode(repr(number), Settings, "batch_timeout_ms", "test") == number


@given(st.text())
def test_text_settings_are_never_reinterpreted(text: str) -> None:
    assert decode(text, Settings, "model_base_path", "test") == text


@given(st.text(min_size=1), st.integers(min_value=1))
def test_axis_references(alias: str, axis: int) -> None:
    assert parse_axis_reference(f"{alias}:{axis}") == (alias, axis)
