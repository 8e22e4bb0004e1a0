"""TF Serving's model config file: ModelServerConfig as protobuf text, the basic form.

What this version does not do is refused, never ignored: a client would be answered by
another model version than the file asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.config.errors import ConfigError
from gateway.config.wording import quoted

PLATFORM = "tensorflow"
_MODEL_TYPES = {1: PLATFORM, 2: "other"}
"""Values of the proto's enum ModelType; 0 is unspecified."""


def read_model_config_file(path: Path, label: str) -> dict[str, str]:
    """Base paths by model name, in the file's order. Errors call the file ``label``.

    Raises ConfigError for a file that cannot be read or parsed, that names no model, or that
    asks for something this version cannot do.
    """
    config = _parse(_read(path, label), label)
    if config.WhichOneof("config") == "custom_model_config":
        raise ConfigError(f"{label}: custom_model_config is not supported")
    models: dict[str, str] = {}
    for entry in config.model_config_list.config:
        problem = next(_problems(entry, models), None)
        if problem is not None:
            raise ConfigError(f"{label}: {problem}")
        models[entry.name] = entry.base_path
    if not models:
        raise ConfigError(f"{label} names no model")
    return models


def _read(path: Path, label: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the model config file {label} cannot be read: {error.strerror}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"the model config file {label} is not UTF-8 text") from None


def _parse(text: str, label: str) -> Any:
    # Imported here because most starts have no such file.
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    try:
        return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        line, column = error.GetLine(), error.GetColumn()
        what = str(error).removeprefix(f"{line}:{column} : ")
        raise ConfigError(f"{label}, line {line}, column {column}: {what}") from None


def _problems(entry: Any, earlier: dict[str, str]) -> Iterator[str]:
    if not entry.name:
        yield "a model has no name"
    model = f"model {quoted(entry.name)}"
    if entry.name in earlier:
        yield f"{model} is listed twice"
    if not entry.base_path:
        yield f"{model} has no base_path"
    if "://" not in entry.base_path and not entry.base_path.startswith("/"):
        yield f"{model} needs an absolute base_path, not {quoted(entry.base_path)}"
    yield from _platform_problems(entry, model)
    yield from _unsupported(entry, model)


def _platform_problems(entry: Any, model: str) -> Iterator[str]:
    """Either model_platform or the deprecated model_type says that it is TensorFlow."""
    model_type = _MODEL_TYPES.get(entry.model_type, "")
    if model_type and entry.model_platform:
        yield f"{model} has both model_platform and model_type (deprecated)"
    platform = model_type or entry.model_platform
    if not platform:
        yield f'{model} has no model_platform (write model_platform: "{PLATFORM}")'
    if platform != PLATFORM:
        yield f'{model} has the platform {quoted(platform)}; only "{PLATFORM}" is supported'


def _unsupported(entry: Any, model: str) -> Iterator[str]:
    policy = entry.model_version_policy.WhichOneof("policy_choice")
    if policy not in (None, "latest"):
        yield f"{model} has the model_version_policy {policy!r}; only the latest version is served"
    if entry.model_version_policy.latest.num_versions > 1:
        yield f"{model} asks for several latest versions; only one is served"
    if entry.version_labels:
        yield f"{model} has version_labels, which are not supported"
    if entry.HasField("logging_config"):
        yield f"{model} has a logging_config, which is not supported"
