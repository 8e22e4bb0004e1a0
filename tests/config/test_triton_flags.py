"""tritonserver's command lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
import pytest
from cli_fakes import Server, invoke
from repositories import Models

from gateway.cli import cli
from gateway.config import Loaded, Settings
from gateway.config.triton.flags import FLAGS, OTHER_NAMES, REFUSED, UNUSED

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture
def models(tmp_path: Any) -> Models:
    models = Models(tmp_path)
    models.put("a")
    return models


@pytest.mark.parametrize(
    "flag",
    [
        "--model-repository=models",
        "--model_repository=models",
        "--model-store=models",
        "--model_store=models",
    ],
)
def test_a_command_line_of_tritonserver(server: Server, models: Models, flag: str) -> None:
    result = invoke(flag, "--model-control-mode=explicit", "--load-model=*", "--http-port=8000")
    assert (result.exit_code, result.stderr) == (0, "")
    assert server.settings is not None
    assert server.settings.model_names() == ("a",)
    assert server.settings.rest_api_port == 8000


def test_repeated_flags(server: Server, models: Models, tmp_path: Any) -> None:
    Models(tmp_path, "with,comma").put("b")
    result = invoke(
        *("--model-repository", "models", "--model-repository", "with,comma"),
        *("--model-control-mode=explicit", "--load-model", "a", "--load_model=b"),
    )
    assert result.exit_code == 0
    assert server.settings is not None
    assert server.settings.model_repository == ("models", "with,comma")
    assert server.settings.model_names() == ("a", "b")


def spelled(name: str, dashes: bool) -> str:
    return f"--{name.replace('_', '-') if dashes else name}"


def options() -> list[str]:
    command = cli.commands["serve"]
    names = [opt for p in command.params if isinstance(p, click.Option) for opt in p.opts]
    return sorted(name.removeprefix("--") for name in names if name != "-h")


@pytest.mark.parametrize("name", options())
def test_every_flag_has_both_spellings(server: Server, name: str) -> None:
    """Whether the value is right or wrong, the flag is known, with a command and without."""
    results = {
        (dashes, command): invoke(*command, f"{spelled(name, dashes)}=0").stderr
        for dashes in (False, True)
        for command in ((), ("serve",))
    }
    assert len(set(results.values())) == 1
    assert "No such option" not in results[False, ()]


def test_an_unknown_flag_is_noticed(server: Server) -> None:
    assert "No such option" in invoke("serve", "--model-repositry=0").stderr


@pytest.mark.parametrize(
    ("flags", "setting", "value"),
    [
        ({"http_port": "8000"}, "rest_api_port", 8000),
        ({"http_address": "0.0.0.0"}, "host", "0.0.0.0"),
        ({"grpc_port": "8001"}, "port", 8001),
        ({"allow_grpc": "false"}, "port", 0),
        ({"http_max_input_size": "100"}, "max_body_bytes", 100),
        ({"exit_timeout_secs": "3"}, "drain_timeout_s", 3.0),
        ({"model_load_thread_count": "4"}, "num_load_threads", 4),
        ({"model_load_retry_count": "2"}, "max_num_load_retries", 2),
        ({"disable_auto_complete_config": "true"}, "strict_model_config", True),
        ({"strict_readiness": "false"}, "strict_readiness", False),
        ({"exit_on_error": "true"}, "exit_on_error", True),
        ({"allow_client_shm": "true"}, "allow_client_shm", True),
        ({"log_format": "ISO8601"}, "log_format", "auto"),
    ],
)
def test_other_names_of_settings(
    configure: Configure, flags: Mapping[str, str], setting: str, value: object
) -> None:
    loaded = configure(flags)
    assert getattr(loaded.settings, setting) == value
    assert loaded.origins[setting] == f"flag --{next(iter(flags))}"


def test_a_switch_that_says_what_is_the_case_changes_nothing(configure: Configure) -> None:
    assert configure({"allow_grpc": "true"}).origins["port"] == "default"


def test_both_names_of_one_setting(refuse: Refuse) -> None:
    message = refuse({"http_port": "1", "rest_api_port": "2"})
    assert message == "flag --http_port and flag --rest_api_port set the same; leave one out"


def test_mistakes_name_the_flag_that_was_given(refuse: Refuse) -> None:
    message = refuse({"http_port": "99999"})
    assert message == "rest_api_port must be at most 65535, not 99999 (flag --http_port)"


@pytest.mark.parametrize("name", sorted(UNUSED))
def test_flags_without_effect_are_told(configure: Configure, name: str) -> None:
    value = {bool: "true", int: "1", str: "x"}[UNUSED[name].kind]
    loaded = configure({name: value})
    assert f"flag --{name} has no effect: {UNUSED[name].why}" in loaded.notes


def test_a_flag_without_effect_has_a_kind_all_the_same(refuse: Refuse) -> None:
    assert refuse({"http_thread_count": "many"}) == (
        'flag --http_thread_count must be a whole number, not "many"'
    )


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_flags_that_must_not_be_passed_over(refuse: Refuse, name: str) -> None:
    assert refuse({name: "true"}) == (f'flag --{name}="true" is not supported: {REFUSED[name].why}')


def test_switches_among_them_may_be_off(configure: Configure) -> None:
    configure({"grpc_use_ssl": "false", "model_namespacing": "0"})


def test_no_flag_has_two_meanings() -> None:
    kinds = [OTHER_NAMES.keys(), UNUSED.keys(), REFUSED.keys()]
    assert len(FLAGS) == sum(map(len, kinds))
    assert not FLAGS & Settings.model_fields.keys()
