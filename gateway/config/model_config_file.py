"""TF Serving's model config file: ModelServerConfig as protobuf text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.errors import ConfigError
from gateway.config.explain import demand
from gateway.config.fields import ModelName
from gateway.config.model_settings import ModelSettings
from gateway.config.proto_text import Path, ProtoFile, parse
from gateway.config.wording import quoted

PLATFORM = "tensorflow"
_MODEL_TYPES = {1: PLATFORM, 2: "other"}
"""Values of the proto's enum ModelType; 0 is unspecified."""

_REQUEST_LOG_FORMATS = {
    "": "jsonl",
    "json": "jsonl",
    "jsonl": "jsonl",
    "tensorflow": "tfrecord",
    "tfrecord": "tfrecord",
}
"""By the log collector's type."""

_FIELDS: Mapping[str, Path] = {
    "base_path": ("base_path",),
    "model_version_policy": ("model_version_policy",),
    "version_labels": ("version_labels",),
    "request_log": ("logging_config", "log_collector_config", "filename_prefix"),
    "request_log_sampling_rate": ("logging_config", "sampling_config", "sampling_rate"),
}
"""The field that gives a setting."""

_Problem = tuple[Path, str]


def parse_model_config(text: str, label: str) -> dict[str, dict[str, object]]:
    """Settings (fields of ModelSettings) by model, in the file's order; what it leaves open is
    not in it. Errors call the file ``label``.

    No model at all must be written out: ``model_config_list {}``. Raises ConfigError with the
    place in the file for text that is no ModelServerConfig and for what TF Serving refuses.
    """
    from tensorflow_serving.config import model_server_config_pb2

    return config_models(parse(text, model_server_config_pb2.ModelServerConfig(), label))


def config_models(file: ProtoFile) -> dict[str, dict[str, object]]:
    """As ``parse_model_config``, of a message that was read already."""
    label = file.label
    if file.message.WhichOneof("config") == "custom_model_config":
        raise file.error(("custom_model_config",), "custom_model_config is not supported")
    if not file.message.HasField("model_config_list"):
        raise ConfigError(f"{label} has no model_config_list; empty it is: model_config_list {{}}")
    models: dict[str, dict[str, object]] = {}
    for index, entry in enumerate(file.message.model_config_list.config):
        place: Path = ("model_config_list", "config", index)
        for path, problem in _problems(entry, models):
            raise file.error((*place, *path), problem)
        models[entry.name] = _validated(file, place, entry)
    return models


def _problems(entry: Any, earlier: Mapping[str, object]) -> Iterator[_Problem]:
    if not entry.name:
        yield (), "a model has no name"
    model = f"model {quoted(entry.name)}"
    if entry.name in earlier:
        yield ("name",), f"{model} is listed twice"
    yield from _name_problems(entry.name)
    if not entry.base_path:
        yield (), f"{model} has no base_path"
    if "://" not in entry.base_path and not entry.base_path.startswith("/"):
        path = quoted(entry.base_path)
        yield ("base_path",), f"{model} needs an absolute base_path, not {path}"
    yield from _platform_problems(entry, model)
    for place, problem in policy_problems(entry.model_version_policy):
        yield ("model_version_policy", *place), f"{model}: {problem}"
    yield from _logging_problems(entry, model)


def _name_problems(name: str) -> Iterator[_Problem]:
    try:
        TypeAdapter(ModelName).validate_python(name)
    except ValidationError as error:
        (mistake,) = error.errors()
        yield ("name",), f"name {demand(mistake)}, not {quoted(name)}"


def _platform_problems(entry: Any, model: str) -> Iterator[_Problem]:
    """Either model_platform or the deprecated model_type says that it is TensorFlow."""
    model_type = _MODEL_TYPES.get(entry.model_type, "")
    field: Path = ("model_type",) if model_type else ("model_platform",)
    if model_type and entry.model_platform:
        yield field, f"{model} has both model_platform and model_type (deprecated)"
    platform = model_type or entry.model_platform
    if not platform:
        yield (), f'{model} has no model_platform (write model_platform: "{PLATFORM}")'
    if platform != PLATFORM:
        yield field, f'{model} has the platform {quoted(platform)}; only "{PLATFORM}" is supported'


def policy_problems(policy: Any) -> Iterator[tuple[Path, str]]:
    """What is wrong with a version policy of TF Serving's form, which is Triton's too."""
    if policy.HasField("specific") and not policy.specific.versions:
        yield ("specific",), "specific names no versions"


def _logging_problems(entry: Any, model: str) -> Iterator[_Problem]:
    if not entry.HasField("logging_config"):
        return
    collector = entry.logging_config.log_collector_config
    place: Path = ("logging_config", "log_collector_config")
    if collector.type not in _REQUEST_LOG_FORMATS:
        known = ", ".join(filter(None, _REQUEST_LOG_FORMATS))
        problem = f"{model} has a log type {quoted(collector.type)}; known are {known}"
        yield (*place, "type"), problem
    if not collector.filename_prefix:
        yield place, f"{model} has a logging_config without filename_prefix, the file to write"


def _validated(file: ProtoFile, place: Path, entry: Any) -> dict[str, object]:
    settings = _settings(entry)
    try:
        ModelSettings.model_validate(settings)
    except ValidationError as error:
        mistake = error.errors()[0]
        path = _FIELDS[str(mistake["loc"][0])]
        problem = f"model {quoted(entry.name)}: {path[-1]} {demand(mistake)}"
        raise file.error((*place, *path), f"{problem}, not {quoted(mistake['input'])}") from None
    return settings


def _settings(entry: Any) -> dict[str, object]:
    settings: dict[str, object] = {"base_path": entry.base_path}
    policy = policy_text(entry.model_version_policy)
    if policy:
        settings["model_version_policy"] = policy
    if entry.version_labels:
        settings["version_labels"] = dict(sorted(entry.version_labels.items()))
    if entry.HasField("logging_config"):
        settings |= _request_log(entry.logging_config)
    return settings


def policy_text(policy: Any) -> str:
    """A version policy as the setting model_version_policy has it; empty when nothing is chosen."""
    choice = policy.WhichOneof("policy_choice")
    if choice == "latest":
        count = policy.latest.num_versions
        return f"latest:{count}" if count > 1 else "latest"
    if choice == "specific":
        return "specific:" + ",".join(map(str, sorted(set(policy.specific.versions))))
    return choice or ""


def _request_log(logging: Any) -> dict[str, object]:
    collector = logging.log_collector_config
    settings: dict[str, object] = {
        "request_log": collector.filename_prefix,
        "request_log_format": _REQUEST_LOG_FORMATS[collector.type],
    }
    if logging.HasField("sampling_config"):
        settings["request_log_sampling_rate"] = logging.sampling_config.sampling_rate
    return settings
