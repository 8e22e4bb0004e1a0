"""The configuration read again: what changed, and what waits for a restart."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import ConfigError, Settings
from gateway.config.reload import ConfigSource, server_changes, with_server_settings_of
from gateway.config.settings import InheritedSettings, ServerSettings

MODELS = (
    'model_config_list {{ config {{ name: "{}" base_path: "/m" model_platform: "tensorflow" }} }}'
)
TOML = (
    "model_config_file = 'models.conf'\nbatching_parameters_file = 'b.conf'\nenable_batching = true"
)

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def call(name: str, text: str) -> None:
        (tmp_path / name).write_text(text)

    return call


@pytest.fixture
def source(tmp_path: Path, write: Write) -> ConfigSource:
    """Of a folder with a TOML, a model config and a batching file, loaded once."""
    write("tensorgate.toml", TOML)
    write("models.conf", MODELS.format("a"))
    write("b.conf", "max_batch_size { value: 8 }")
    source = ConfigSource({"port": "8500"}, {"GATEWAY_HOST": "::"}, tmp_path)
    source.load()
    return source


def test_load_follows_the_files(source: ConfigSource, write: Write) -> None:
    write("models.conf", MODELS.format("b"))
    write("b.conf", "max_batch_size { value: 4 }")
    settings = source.load().settings
    assert settings.model_names() == ("b",)
    assert (settings.max_batch_size, settings.port, settings.host) == (4, 8500, "::")


def test_flags_and_environment_are_those_of_the_start(tmp_path: Path) -> None:
    flags, environ = {"model_base_path": "/m"}, {"GATEWAY_HOST": "::"}
    source = ConfigSource(flags, environ, tmp_path)
    flags.clear()
    environ.clear()
    assert source.load().settings.host == "::"


@pytest.mark.parametrize("name", ["tensorgate.toml", "models.conf", "b.conf"])
@pytest.mark.parametrize("change", ["content", "removal"])
def test_every_file_is_watched(
    source: ConfigSource, tmp_path: Path, name: str, change: str
) -> None:
    before = source.fingerprint()
    assert not source.changed()
    if change == "removal":
        (tmp_path / name).unlink()
    else:
        times = (tmp_path / name).stat()
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text.replace("a", "b"))
        os.utime(tmp_path / name, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert source.fingerprint() != before
    assert source.changed()


def test_a_file_written_anew_with_the_same_text_is_no_change(
    source: ConfigSource, write: Write
) -> None:
    before = source.fingerprint()
    write("models.conf", MODELS.format("a"))
    assert source.fingerprint() == before
    assert not source.changed()


def test_a_toml_file_that_appears_is_noticed(tmp_path: Path, write: Write) -> None:
    source = ConfigSource({"model_base_path": "/m"}, {}, tmp_path)
    source.load()
    assert not source.changed()
    write("tensorgate.toml", "max_batch_size = 8")
    assert source.changed()
    assert source.load().settings.max_batch_size == 8


def test_a_bad_file_is_tried_once_until_it_changes(source: ConfigSource, write: Write) -> None:
    write("models.conf", "nonsense")
    with pytest.raises(ConfigError):
        source.load()
    assert not source.changed()
    write("models.conf", MODELS.format("b"))
    assert source.changed()
    assert source.load().settings.model_names() == ("b",)


def test_files_behind_the_bad_one_stay_watched(source: ConfigSource, write: Write) -> None:
    write("tensorgate.toml", "nonsense")
    with pytest.raises(ConfigError):
        source.load()
    write("models.conf", MODELS.format("b"))
    assert source.changed()


def test_a_file_named_since_is_watched_even_if_it_was_bad(
    source: ConfigSource, write: Write
) -> None:
    write("tensorgate.toml", "model_config_file = 'new.conf'")
    with pytest.raises(ConfigError):
        source.load()
    assert not source.changed()
    write("new.conf", MODELS.format("b"))
    assert source.changed()
    assert source.load().settings.model_names() == ("b",)


def test_nothing_is_changed_before_the_first_load(tmp_path: Path) -> None:
    source = ConfigSource({}, {}, tmp_path)
    assert source.fingerprint() == source.fingerprint()
    assert not source.changed()


def test_what_waits_for_a_restart() -> None:
    old = Settings(rest_api_port=1, max_batch_size=8, devices=("cpu:0",))
    new = Settings(rest_api_port=2, max_batch_size=16, devices=("cpu:1",), model_base_path="/m")
    assert sorted(server_changes(old, new)) == ["devices", "rest_api_port"]
    assert server_changes(new, new) == []


def test_each_setting_is_either_the_servers_or_taken() -> None:
    """What is neither a model's, nor names models, nor only leads to others, needs a restart."""
    leads = {
        "enable_batching",
        "batching_parameters_file",
        "monitoring_config_file",
        "platform_config_file",
        "tensorflow_session_parallelism",
        "strict_model_config",
        "model_config_name",
        "repository_poll_secs",
    }
    names_models = {"models", "model_name", "model_base_path", "model_config_file"}
    names_models |= {"model_repository", "load_model"}
    everything = Settings.model_fields.keys()
    servers = everything - InheritedSettings.model_fields.keys() - names_models - leads
    assert servers | leads == ServerSettings.model_fields.keys()
    other = Settings.model_construct(**dict.fromkeys(everything))
    assert set(server_changes(Settings(), other)) == servers


def test_models_are_taken_and_the_server_stays_as_it_is() -> None:
    old = Settings(rest_api_port=1, max_batch_size=8, model_name="a", model_base_path="/a")
    new = Settings(rest_api_port=2, max_batch_size=16, model_name="b", model_base_path="/b")
    merged = with_server_settings_of(old, new)
    assert merged.rest_api_port == 1
    assert merged.max_batch_size == 16
    assert merged.model_names() == ("b",)
    assert old.model_names() == ("a",)


def test_models_that_do_not_fit_the_kept_settings_are_refused(tmp_path: Path, write: Write) -> None:
    old = Settings(devices=("cpu:0",))
    write(
        "tensorgate.toml", "devices = ['cpu:1']\n[models.m]\nbase_path = '/m'\ndevices = ['cpu:1']"
    )
    loaded = ConfigSource({}, {}, tmp_path).load()
    with pytest.raises(ConfigError) as caught:
        with_server_settings_of(old, loaded.settings, loaded.origins)
    assert str(caught.value) == (
        'models.m.devices = ["cpu:1"] (tensorgate.toml) is not among devices = ["cpu:0"] '
        "(kept until a restart)"
    )
    with pytest.raises(ConfigError, match=r"\(configured\) is not among"):
        with_server_settings_of(old, loaded.settings)
