"""One config.pbtxt as the settings of its model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config.errors import ConfigError
from gateway.config.explain import demand
from gateway.config.model_config_file import policy_problems, policy_text
from gateway.config.model_settings import ModelSettings
from gateway.config.proto_text import Path as FieldPath
from gateway.config.proto_text import ProtoFile, parse
from gateway.config.triton.instances import read_instances
from gateway.config.triton.model import TritonModel
from gateway.config.triton.parameters import read_parameters
from gateway.config.triton.scheduling import batch_size, batching_settings
from gateway.config.triton.tensors import ReadLabels, read_tensors
from gateway.config.triton.unused import noted_fields, refuse_unsupported
from gateway.config.triton.warmup import read_warmup
from gateway.config.wording import quoted

PLATFORM = "tensorflow_savedmodel"
BACKEND = "tensorflow"

FOREIGN_FILES: Mapping[str, str] = {
    "model.graphdef": "tensorflow_graphdef",
    "model.onnx": "onnxruntime",
    "model.plan": "tensorrt",
    "model.pt": "pytorch",
    "model.py": "python",
    "model.xml": "openvino",
    "model.dali": "dali",
}
"""Whose a model is whose configuration does not say, by the file that Triton looks for."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the server's settings say about reading a model's configuration."""

    complete: bool = True
    """What config.pbtxt leaves open, or all of it, is taken from the SavedModel."""
    config_name: str = ""
    """``configs/NAME.pbtxt`` is read in place of config.pbtxt, where it is."""
    tags: tuple[str, ...] = ("serve",)
    """Of the graphs that are loaded."""
    max_queue_rows: int = 4096


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What was read."""

    settings: Mapping[str, object]
    """Fields of ModelSettings but for base_path; the TritonModel is one of them."""
    notes: tuple[str, ...]
    """What has no effect, one line each."""


def parse_text(text: str, label: str) -> ProtoFile:
    """Raises ConfigError for text that is no ModelConfig."""
    from gateway.protos.triton import model_config_pb2, pool

    return parse(text, model_config_pb2.ModelConfig(), label, pool.Default())


def parse_json(config: Mapping[str, Any], label: str) -> ProtoFile:
    """A ModelConfig as proto3 JSON. Raises ConfigError for what is none."""
    from google.protobuf import json_format

    from gateway.protos.triton import model_config_pb2

    message = model_config_pb2.ModelConfig()
    try:
        json_format.ParseDict(dict(config), message)
    except json_format.ParseError as error:
        raise ConfigError(f"{label}: {error}") from None
    return ProtoFile(message, label, {})


def foreign_platform(config: Any) -> str:
    """Why the model is none of ours; empty when it may be one."""
    if config.platform == "ensemble" or config.HasField("ensemble_scheduling"):
        return "ensembles are not served"
    if config.platform not in ("", PLATFORM):
        return f"platform {quoted(config.platform)} is not served, only {quoted(PLATFORM)}"
    if config.backend not in ("", BACKEND):
        return f"backend {quoted(config.backend)} is not served, only {quoted(BACKEND)}"
    backend = FOREIGN_FILES.get(config.default_model_filename, "")
    return f"models of {backend} are not served" if backend else ""


def read_config(
    file: ProtoFile, folder: Path, read_labels: ReadLabels, options: ReadOptions
) -> ModelConfig:
    """The settings of the model in ``folder``, which ``foreign_platform`` has nothing against.

    Raises ConfigError for what is wrong or not supported, and says where.
    """
    for path, problem in _problems(file.message, folder.name, options):
        raise file.error(path, problem)
    refuse_unsupported(file)
    size = batch_size(file, complete=options.complete)
    parameters = read_parameters(file, options.tags)
    triton = TritonModel(
        folder,
        max_batch_size=size,
        signature=parameters.signature,
        model_filename=file.message.default_model_filename,
        inputs=read_tensors(file, "input", read_labels, complete=options.complete),
        outputs=read_tensors(file, "output", read_labels, complete=options.complete),
        instances=read_instances(file),
        warmup=read_warmup(file, size),
        config=file.message,
    )
    settings = {**_settings(file, size, options), **parameters.settings, "triton": triton}
    _validate(file, settings)
    return ModelConfig(settings, (*noted_fields(file), *parameters.notes))


def _problems(config: Any, name: str, options: ReadOptions) -> Iterator[tuple[FieldPath, str]]:
    if config.name and config.name != name:
        yield ("name",), f"name is {quoted(config.name)}, but the folder is called {quoted(name)}"
    if not config.platform and not config.backend and not options.complete:
        yield (), f'there is no platform (write platform: "{PLATFORM}")'
    for path, problem in policy_problems(config.version_policy):
        yield ("version_policy", *path), f"version_policy: {problem}"
    filename = config.default_model_filename
    if filename and (Path(filename).name != filename or filename in (".", "..")):
        problem = f"must be a name in the version folder, not {quoted(filename)}"
        yield ("default_model_filename",), f"default_model_filename {problem}"


def _settings(file: ProtoFile, size: int | None, options: ReadOptions) -> dict[str, object]:
    settings = batching_settings(file, size)
    if policy := policy_text(file.message.version_policy):
        settings["model_version_policy"] = policy
    if size is not None and size > options.max_queue_rows:
        # A full batch must fit the queue.
        settings["max_queue_rows"] = size
    return settings


def _validate(file: ProtoFile, settings: Mapping[str, object]) -> None:
    try:
        ModelSettings.model_validate(settings)
    except ValidationError as error:
        mistake = error.errors()[0]
        problem = f"{mistake['loc'][0]} {demand(mistake)}, not {quoted(mistake['input'])}"
        raise file.error((), problem) from None
