"""GATEWAY_MODEL__<NAME>__<SETTING>, and variables that are not ours."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Loaded
from gateway.config.environment import environment_name, model_environment_layer
from gateway.config.fields import AUTO_BATCH_SIZE

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]


def tables(*names: str) -> str:
    return "".join(f'[models."{name}"]\nbase_path = "/m"\n' for name in names)


@pytest.mark.parametrize(
    ("model", "written"),
    [
        ("resnet", "RESNET"),
        ("resnet", "resnet"),
        ("half-plus.two", "HALF_PLUS_TWO"),
        ("a--b", "A__B"),
        ("_x_", "_X_"),
        ("Ünit", "_NIT"),
    ],
)
def test_names_are_matched_without_case_and_punctuation(
    configure: Configure, model: str, written: str
) -> None:
    variable = f"GATEWAY_MODEL__{written}__MAX_BATCH_SIZE"
    loaded = configure(toml=tables(model, "other"), environ={variable: "8"})
    assert loaded.settings.for_model(model).max_batch_size == 8
    assert loaded.settings.for_model("other").max_batch_size == AUTO_BATCH_SIZE


def test_the_origin_names_the_variable_and_quotes_the_model(configure: Configure) -> None:
    variable = "GATEWAY_MODEL__HALF_PLUS_TWO__BATCHING"
    loaded = configure(toml=tables("half-plus.two"), environ={variable: "off"})
    assert loaded.origins['models."half-plus.two".batching'] == f"environment {variable}"


def test_it_reaches_the_single_model_too(configure: Configure) -> None:
    loaded = configure(
        flags={"model_base_path": "/m"},
        environ={"GATEWAY_MODEL__DEFAULT__BATCH_TIMEOUT_MS": "1.5"},
    )
    assert loaded.settings.for_model("default").batch_timeout_ms == 1.5


def test_tables_are_json(configure: Configure) -> None:
    environ = {
        "GATEWAY_MODEL__M__PADDING": '{"ids": {"axes": [1], "value": -1, "buckets": [8, 16]}}',
        "GATEWAY_MODEL__M__TRIM": '{"y": {"1": "ids:1"}}',
        "GATEWAY_MODEL__M__DEVICES": "cpu:0,cpu:1",
    }
    model = configure(toml=tables("m"), environ=environ).settings.for_model("m")
    assert model.padding["ids"].buckets == (8, 16)
    assert model.padding["ids"].value == -1
    assert model.trim == {"y": {1: "ids:1"}}
    assert model.devices == ("cpu:0", "cpu:1")


@pytest.mark.parametrize(
    ("variable", "text", "line"),
    [
        (
            "GATEWAY_MODEL__RESNT__WARMUP",
            "0",
            "environment GATEWAY_MODEL__RESNT__WARMUP: no model is called RESNT "
            "(models: bert, resnet); did you mean RESNET?",
        ),
        (
            "GATEWAY_MODEL__RESNET__MAX_BATCH",
            "8",
            "environment GATEWAY_MODEL__RESNET__MAX_BATCH: MAX_BATCH is not a setting of a model"
            "; did you mean MAX_BATCH_SIZE?",
        ),
        (
            "GATEWAY_MODEL__RESNET__REST_API_PORT",
            "8",
            "environment GATEWAY_MODEL__RESNET__REST_API_PORT: REST_API_PORT is not a setting of "
            "a model",
        ),
        (
            "GATEWAY_MODEL__MAX_BATCH_SIZE",
            "8",
            "environment GATEWAY_MODEL__MAX_BATCH_SIZE must be written "
            "GATEWAY_MODEL__<NAME>__<SETTING>",
        ),
        (
            "GATEWAY_MODEL__BERT__PADDING",
            "{",
            "environment GATEWAY_MODEL__BERT__PADDING is not valid JSON: Expecting property name "
            "enclosed in double quotes at column 2",
        ),
        (
            "GATEWAY_MODEL__BERT__PADDING",
            "[]",
            "models.bert.padding must be a table, not [] "
            "(environment GATEWAY_MODEL__BERT__PADDING)",
        ),
        (
            "GATEWAY_MODEL__BERT__MAX_BATCH_SIZE",
            "x",
            'models.bert.max_batch_size must be a whole number, not "x" '
            "(environment GATEWAY_MODEL__BERT__MAX_BATCH_SIZE)",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(refuse: Refuse, variable: str, text: str, line: str) -> None:
    assert refuse(toml=tables("resnet", "bert"), environ={variable: text}) == line


def test_a_name_that_fits_two_models(refuse: Refuse) -> None:
    assert refuse(toml=tables("a-b", "a.b"), environ={"GATEWAY_MODEL__A_B__WARMUP": "0"}) == (
        "environment GATEWAY_MODEL__A_B__WARMUP could mean several models: a-b, a.b"
    )


def test_two_spellings_of_one_setting(refuse: Refuse) -> None:
    environ = {"GATEWAY_MODEL__M__WARMUP": "0", "GATEWAY_MODEL__m__WARMUP": "1"}
    assert refuse(toml=tables("m"), environ=environ) == (
        "environment GATEWAY_MODEL__M__WARMUP and GATEWAY_MODEL__m__WARMUP both set models.m.warmup"
    )


def test_without_any_model(refuse: Refuse) -> None:
    assert refuse(environ={"GATEWAY_MODEL__M__WARMUP": "0"}).endswith("(models: none)")


def test_kubernetes_service_links_are_no_settings(configure: Configure) -> None:
    environ = {
        "GATEWAY_SERVICE_HOST": "10.0.0.1",
        "GATEWAY_SERVICE_PORT": "8501",
        "GATEWAY_SERVICE_PORT_HTTP": "8501",
        "GATEWAY_PORT": "tcp://10.0.0.1:8501",
        "GATEWAY_PORT_8501_TCP": "tcp://10.0.0.1:8501",
        "GATEWAY_PORT_8501_TCP_ADDR": "10.0.0.1",
        "GATEWAY_REST_API_PORT": "tcp://10.0.0.1:8501",
        "GATEWAY_CANARY_SERVICE_HOST": "10.0.0.2",
    }
    assert set(configure(environ=environ).origins.values()) == {"default"}


def test_a_port_that_is_no_link_is_a_setting(configure: Configure) -> None:
    assert configure(environ={"GATEWAY_PORT": "8500"}).settings.port == 8500


def test_other_programs_variables_are_left_alone(configure: Configure) -> None:
    environ = {"PATH": "/bin", "gateway_port": "1", "MY_GATEWAY_PORT": "1", "TF_CONFIG": "{}"}
    assert configure(environ=environ) == configure()


NAMES = st.text(string.ascii_letters + string.digits + "_-. é", min_size=1, max_size=12)


@given(st.lists(NAMES, min_size=1, max_size=5, unique_by=environment_name))
def test_every_model_can_be_reached(names: list[str]) -> None:
    for name in names:
        variable = f"GATEWAY_MODEL__{environment_name(name)}__WARMUP"
        layer = model_environment_layer({variable: "false"}, names)
        assert list(layer) == [("models", name, "warmup")]
