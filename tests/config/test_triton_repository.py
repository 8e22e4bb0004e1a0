"""A model repository as configuration: which folders are models, when they are looked at, and what
else has a say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from repositories import Models

from gateway.config import ConfigError, Loaded
from gateway.config.reload import ConfigSource
from gateway.config.triton.choice import Choice
from gateway.config.triton.repository import RepositoryModel

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path)


def problem(loaded: Loaded, name: str) -> str:
    triton = loaded.settings.for_model(name).triton
    assert triton is not None
    return triton.problem


def test_every_folder_is_a_model(configure: Configure, models: Models) -> None:
    models.put("b", "max_batch_size: 4")
    models.put("a")
    models.put(".git")
    (models.root / "readme.txt").touch()
    loaded = configure(models.flags, require_models=True)
    assert loaded.settings.model_names() == ("a", "b")
    assert loaded.settings.for_model("a").base_path == models.root / "a"
    assert loaded.repository_names == {"a", "b"}
    assert problem(loaded, "a") == problem(loaded, "b") == ""


def test_an_empty_repository_serves_nothing(configure: Configure, models: Models) -> None:
    assert configure(models.flags, require_models=True).settings.model_names() == ()


def test_a_broken_model_leaves_the_others(configure: Configure, models: Models) -> None:
    models.put("good", "max_batch_size: 4")
    models.put("bad", "max_batch_size:")
    loaded = configure(models.flags)
    assert problem(loaded, "bad").startswith("config.pbtxt, line 1")
    assert problem(loaded, "good") == ""


def test_a_contradiction_with_the_server_is_the_model_s_problem(
    configure: Configure, models: Models
) -> None:
    models.put(
        "slow", "max_batch_size: 4 dynamic_batching { max_queue_delay_microseconds: 400000 }"
    )
    models.put("good")
    loaded = configure(models.flags | {"rest_api_timeout_in_ms": "300"})
    assert "models.slow.batch_timeout_ms = 400.0 (slow/config.pbtxt) is not below" in problem(
        loaded, "slow"
    )
    assert problem(loaded, "good") == ""


def test_names_that_cannot_be_models_are_told(configure: Configure, models: Models) -> None:
    models.put("a:b")
    loaded = configure(models.flags)
    assert loaded.settings.model_names() == ()
    assert 'model repository: "a:b" cannot be a model\'s name' in loaded.notes


def test_several_repositories(configure: Configure, models: Models, tmp_path: Path) -> None:
    others = Models(tmp_path, "others")
    models.put("a")
    others.put("b")
    for each in (models, others):
        each.put("twice")
    loaded = configure({"model_repository": "models,others"})
    assert loaded.settings.model_names() == ("a", "b", "twice")
    assert problem(loaded, "twice") == "it is in more than one repository"


@pytest.mark.parametrize("source", ["flag", "environment", "toml"])
def test_where_it_can_be_told(configure: Configure, models: Models, source: str) -> None:
    models.put("a")
    loaded = {
        "flag": lambda: configure({"model_repository": '["models"]'}),
        "environment": lambda: configure(environ={"GATEWAY_MODEL_REPOSITORY": "models"}),
        "toml": lambda: configure(toml='model_repository = ["models"]'),
    }[source]()
    assert loaded.settings.model_names() == ("a",)


def test_one_that_cannot_be_read(refuse: Refuse) -> None:
    message = refuse({"model_repository": "missing"})
    assert message == "the model repository missing cannot be read: No such file or directory"


def test_a_uri(refuse: Refuse) -> None:
    assert "must be a local folder" in refuse({"model_repository": "s3://bucket/models"})


@pytest.mark.parametrize("other", ["model_base_path", "model_config_file"])
def test_two_sources_of_models(
    refuse: Refuse, models: Models, models_file: str, other: str
) -> None:
    message = refuse(models.flags | {other: models_file})
    assert message == (
        f"model_repository (flag --model_repository) and {other} (flag --{other}) both say what "
        "to serve; leave one of them out"
    )


def test_the_container_s_variables_give_way(configure: Configure, models: Models) -> None:
    models.put("a")
    loaded = configure(models.flags, {"MODEL_NAME": "x"})
    assert loaded.settings.model_names() == ("a",)


def test_a_table_of_a_model_is_stronger_than_its_config_pbtxt(
    configure: Configure, models: Models
) -> None:
    models.put("a", "max_batch_size: 4 dynamic_batching {}")
    toml = "[models.a]\nmax_batch_size = 2\n[models.a.version_labels]\nstable = 1"
    environ = {"GATEWAY_MODEL__A__BATCHING": "on"}
    loaded = configure(models.flags, environ, toml)
    model = loaded.settings.for_model("a")
    assert (model.max_batch_size, model.batching) == (2, "on")
    assert model.version_labels == {"stable": 1}
    assert loaded.origins["models.a.max_batch_size"] == "tensorgate.toml"


def test_a_table_cannot_move_a_model(refuse: Refuse, models: Models) -> None:
    models.put("a")
    message = refuse(models.flags, toml='[models.a]\nbase_path = "/elsewhere"')
    assert "models.a.base_path (tensorgate.toml) is told by the model repository" in message


def test_a_model_from_elsewhere_may_stand_beside_them(configure: Configure, models: Models) -> None:
    models.put("a")
    loaded = configure(models.flags, toml='[models.b]\nbase_path = "/b"')
    assert set(loaded.settings.model_names()) == {"a", "b"}
    assert loaded.settings.for_model("b").triton is None


def test_no_config_pbtxt(configure: Configure, refuse: Refuse, models: Models) -> None:
    models.put("a")
    assert problem(configure(models.flags), "a") == ""
    strict = configure(models.flags | {"strict_model_config": "true"})
    assert problem(strict, "a").startswith("config.pbtxt is missing")


@pytest.mark.parametrize(
    ("file", "backend"),
    [("model.onnx", "onnxruntime"), ("model.py", "python"), ("model.plan", "tensorrt")],
)
def test_other_frameworks_by_their_files(
    configure: Configure, models: Models, file: str, backend: str
) -> None:
    models.put("a", file=file)
    triton = configure(models.flags).settings.for_model("a").triton
    assert triton is not None
    assert triton.foreign
    assert triton.problem == f"models of {backend} are not served ({file})"


def test_a_named_configuration(configure: Configure, models: Models) -> None:
    for name in ("a", "b"):
        models.put(name, "max_batch_size: 1")
    (models.root / "a" / "configs").mkdir()
    (models.root / "a" / "configs" / "big.pbtxt").write_text("max_batch_size: 64")
    loaded = configure(models.flags | {"model_config_name": "big"})
    assert loaded.settings.for_model("a").max_batch_size == 64
    assert loaded.origins["models.a.max_batch_size"] == "a/configs/big.pbtxt"
    assert loaded.settings.for_model("b").max_batch_size == 1


def test_a_named_configuration_is_a_name(refuse: Refuse, models: Models) -> None:
    assert "must be a file's name" in refuse(models.flags | {"model_config_name": "../x"})


# When it is looked at.

LOOKS = ("file_system_poll_wait_seconds", "model_config_file_poll_wait_seconds")


@pytest.mark.parametrize(
    ("flags", "seconds", "retries"),
    [
        ({}, 0.0, 5),
        ({"model_control_mode": "NONE"}, 0.0, 5),
        ({"model_control_mode": "poll"}, 15.0, 5),
        ({"model_control_mode": "poll", "repository_poll_secs": "2"}, 2.0, 5),
        ({"model_control_mode": "explicit"}, 0.0, 0),
    ],
)
def test_modes(
    configure: Configure, models: Models, flags: Mapping[str, str], seconds: float, retries: int
) -> None:
    settings = configure(models.flags | flags).settings
    assert [getattr(settings, look) for look in LOOKS] == [seconds, seconds]
    assert settings.max_num_load_retries == retries


def test_what_is_told_by_its_own_name_is_stronger(configure: Configure, models: Models) -> None:
    flags = {"model_control_mode": "poll", "file_system_poll_wait_seconds": "1"}
    settings = configure(models.flags | flags).settings
    assert [getattr(settings, look) for look in LOOKS] == [1.0, 15.0]


def test_without_a_repository_nothing_changes(configure: Configure) -> None:
    loaded = configure({"model_control_mode": "poll", "load_model": "m", "config": ""})
    assert loaded.settings.file_system_poll_wait_seconds == 1.0
    assert loaded.notes == (
        "load_model (flag --load_model) has no effect without model_repository",
        "model_control_mode (flag --model_control_mode) has no effect without model_repository",
    )


def test_load_model_is_for_explicit_control(configure: Configure, models: Models) -> None:
    (note,) = configure({**models.flags, "load_model": "a"}).notes
    assert note == (
        "load_model (flag --load_model) has no effect without model_control_mode=explicit"
    )


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"model_control_mode": "always"}, "must be 'none', 'poll' or 'explicit'"),
        ({"repository_poll_secs": "0"}, "must be more than 0"),
        ({"load_model": "*,a"}, 'must be names of models, or "*" alone'),
        ({"load_model": "a,a"}, "must not name anything twice"),
    ],
)
def test_values_that_cannot_be(refuse: Refuse, flags: Mapping[str, str], complaint: str) -> None:
    assert complaint in refuse(flags)


# Explicit control.


@pytest.fixture
def explicit(models: Models) -> Mapping[str, str]:
    for name in ("a", "b"):
        models.put(name, "max_batch_size: 4")
    return models.flags | {"model_control_mode": "explicit"}


@pytest.mark.parametrize(
    ("load_model", "names"), [("", ()), ("a", ("a",)), ("b,a", ("a", "b")), ("*", ("a", "b"))]
)
def test_models_of_the_start(
    configure: Configure, explicit: Mapping[str, str], load_model: str, names: tuple[str, ...]
) -> None:
    loaded = configure({**explicit, "load_model": load_model}, require_models=True)
    assert loaded.settings.model_names() == names
    assert loaded.repository_names == {"a", "b"}


def test_a_model_of_the_start_that_is_not_there(
    configure: Configure, explicit: Mapping[str, str]
) -> None:
    loaded = configure({**explicit, "load_model": "c"})
    assert problem(loaded, "c") == "it is not in the repository"


def test_settings_of_models_that_are_not_loaded_wait(
    configure: Configure, explicit: Mapping[str, str]
) -> None:
    toml = "[models.a]\nwarmup = false\n[models.b]\nwarmup = false"
    loaded = configure(explicit | {"load_model": "a"}, {"GATEWAY_MODEL__B__WARMUP": "0"}, toml)
    assert loaded.settings.model_names() == ("a",)
    assert not loaded.settings.for_model("a").warmup


def read_again(name: str, **configs: Mapping[str, object]) -> Callable[..., Choice]:
    def change(models: Mapping[str, RepositoryModel]) -> Choice:
        return Choice(models, read=frozenset([name]), configs=configs)

    return change


def test_only_what_is_loaded_is_read_again(
    explicit: Mapping[str, str], models: Models, tmp_path: Path
) -> None:
    source = ConfigSource({**explicit, "load_model": "a"}, {}, tmp_path)
    source.load()
    models.configure("a", "max_batch_size: 5")
    source.keep(source.load(read_again("b")))
    settings = source.load().settings
    assert {n: settings.for_model(n).max_batch_size for n in settings.model_names()} == {
        "a": 4,
        "b": 4,
    }
    assert source.load(read_again("a")).settings.for_model("a").max_batch_size == 5
    # What is not kept is forgotten.
    assert source.load().settings.for_model("a").max_batch_size == 4
    dropped = source.load(lambda all_: Choice(all_, drop=frozenset(["a"])))
    assert dropped.settings.model_names() == ("b",)


def test_a_given_configuration(explicit: Mapping[str, str], tmp_path: Path) -> None:
    source = ConfigSource(explicit, {}, tmp_path)
    source.load()
    config = {"max_batch_size": 7, "dynamic_batching": {}}
    loaded = source.load(read_again("a", a=config))
    assert loaded.settings.for_model("a").max_batch_size == 7
    loaded = source.load(read_again("a", a={"nothing": 1}))
    assert problem(loaded, "a").startswith("the given configuration: ")


def test_a_look_at_the_folders(explicit: Mapping[str, str], models: Models, tmp_path: Path) -> None:
    source = ConfigSource(explicit, {}, tmp_path)
    source.load()
    models.put("c")
    assert source.repository_names == {"a", "b"}
    source.look()
    assert source.repository_names == {"a", "b", "c"}
    models.root.rename(tmp_path / "gone")
    with pytest.raises(ConfigError):
        source.look()
    assert source.repository_names == {"a", "b", "c"}


# Changes.


@pytest.fixture
def polling(models: Models, tmp_path: Path) -> ConfigSource:
    """Of a repository with the model ``a``, loaded once."""
    folder = models.put("a", 'output { name: "y" label_filename: "l.txt" }')
    (folder / "l.txt").write_text("cat")
    source = ConfigSource({**models.flags, "model_control_mode": "poll"}, {}, tmp_path)
    source.load()
    return source


@pytest.mark.parametrize(
    "change",
    [
        lambda models: models.put("b"),
        lambda models: models.configure("a", "max_batch_size: 2"),
        lambda models: (models.root / "a" / "config.pbtxt").unlink(),
        lambda models: (models.root / "a" / "l.txt").write_text("dog"),
        lambda models: (models.root / "a").rename(models.root / "b"),
    ],
)
def test_changes_are_noticed(
    polling: ConfigSource, models: Models, change: Callable[[Models], object]
) -> None:
    assert not polling.changed()
    change(models)
    assert polling.changed()
    polling.load()
    assert not polling.changed()


def test_a_version_that_comes_is_no_change_of_the_configuration(
    polling: ConfigSource, models: Models
) -> None:
    (models.root / "a" / "2").mkdir()
    os.utime(models.root)
    assert not polling.changed()
