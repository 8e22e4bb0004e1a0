"""The models of TF Serving's model config file beside those of the other sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.config import Loaded

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

GOOD = 'name: "m" base_path: "/m" model_platform: "tensorflow"'


def config_list(entry: str) -> str:
    return f"model_config_list {{ config {{ {entry} }} }}"


FULL = f"""
{GOOD}
model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
version_labels {{ key: "stable" value: 1 }}
logging_config {{
  log_collector_config {{ type: "tensorflow" filename_prefix: "/log/m" }}
  sampling_config {{ sampling_rate: 0.5 }}
}}
"""


def test_all_fields_become_the_models_settings(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "models.conf").write_text(config_list(FULL))
    loaded = configure(flags={"model_config_file": "models.conf"})
    model = loaded.settings.for_model("m")
    assert model.model_version_policy == "specific:1,2"
    assert model.version_labels == {"stable": 1}
    assert (model.request_log, model.request_log_format) == ("/log/m", "tfrecord")
    assert model.request_log_sampling_rate == 0.5
    assert loaded.origins["models.m.model_version_policy"] == "models.conf"
    assert loaded.origins["models.m.request_log_max_bytes"] == "inherited, default"


def test_toml_may_fill_in_but_not_contradict(
    configure: Configure, refuse: Refuse, tmp_path: Path
) -> None:
    (tmp_path / "models.conf").write_text(config_list(FULL))
    flags = {"model_config_file": "models.conf"}
    loaded = configure(flags=flags, toml="[models.m]\ndefault_label = 'stable'")
    assert loaded.settings.for_model("m").default_label == "stable"
    assert refuse(flags=flags, toml="[models.m]\nmodel_version_policy = 'all'") == (
        'models.m.model_version_policy is "all" in tensorgate.toml but "specific:1,2" '
        "in models.conf"
    )


def test_the_environment_overrides_the_file(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "models.conf").write_text(config_list(FULL))
    loaded = configure(
        flags={"model_config_file": "models.conf"},
        environ={
            "GATEWAY_MODEL__M__MODEL_VERSION_POLICY": "all",
            "GATEWAY_MODEL__M__VERSION_LABELS": '{"new": {"1": 1, "2": 3}}',
        },
    )
    model = loaded.settings.for_model("m")
    assert model.model_version_policy == "all"
    assert model.version_labels == {"new": {1: 1.0, 2: 3.0}}


def test_a_log_files_name_may_be_relative(configure: Configure, tmp_path: Path) -> None:
    text = f'{GOOD} logging_config {{ log_collector_config {{ filename_prefix: "requests" }} }}'
    (tmp_path / "models.conf").write_text(config_list(text))
    loaded = configure(flags={"model_config_file": "models.conf"})
    assert loaded.settings.for_model("m").request_log == str(tmp_path / "requests")
