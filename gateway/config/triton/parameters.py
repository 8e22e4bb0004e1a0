"""``parameters`` of a config.pbtxt: those of Triton's TensorFlow backend, and our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from gateway.config.errors import ConfigError
from gateway.config.explain import demand
from gateway.config.inherited import BatchSettings, VersionSettings
from gateway.config.model_settings import ModelSettings
from gateway.config.proto_text import ProtoFile
from gateway.config.text import decode
from gateway.config.triton.model import DEFAULT_SIGNATURE
from gateway.config.wording import did_you_mean, quoted

PREFIX = "tensorgate."

OWN = frozenset(
    [
        *BatchSettings.model_fields,
        *(VersionSettings.model_fields.keys() - {"golden_answers"}),
        *("padding", "trim", "length_patience_ms"),
    ]
)
"""Settings that a repository may set. None that names a file: who writes a model must not choose
what this process writes or reads elsewhere."""

_SIGNATURE = "TF_SIGNATURE_DEF"
_TAG = "TF_GRAPH_TAG"
_INIT = "TF_INIT_OPS_FILE"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the parameters say."""

    settings: Mapping[str, object]
    signature: str
    notes: tuple[str, ...]


def read_parameters(file: ProtoFile, tags: tuple[str, ...]) -> Parameters:
    """``tags`` are those of the graphs that this server loads. Raises ConfigError."""
    texts = {name: value.string_value for name, value in sorted(file.message.parameters.items())}
    if texts.pop(_INIT, ""):
        raise _refused(file, f"{_INIT} is not supported: initialise in the SavedModel itself")
    tag = texts.pop(_TAG, "")
    if tag and (tag,) != tags:
        served = ",".join(tags)
        raise _refused(file, f"{_TAG} is {quoted(tag)}, but this server loads graphs of {served}")
    signature = texts.pop(_SIGNATURE, "") or DEFAULT_SIGNATURE
    own = {name: texts.pop(name) for name in list(texts) if name.startswith(PREFIX)}
    settings = {
        name.removeprefix(PREFIX): _own_setting(file, name, text) for name, text in own.items()
    }
    _check(file, settings)
    notes = tuple(f"parameter {name} has no effect" for name in texts)
    return Parameters(settings, signature, notes)


def _own_setting(file: ProtoFile, name: str, text: str) -> object:
    setting = name.removeprefix(PREFIX)
    if setting not in OWN:
        hint = did_you_mean(setting, OWN)
        raise _refused(file, f"{name} is not a setting that a repository can have{hint}")
    try:
        return decode(text, ModelSettings, setting, name)
    except ConfigError as error:
        raise _refused(file, str(error)) from None


def _check(file: ProtoFile, settings: Mapping[str, object]) -> None:
    try:
        ModelSettings.model_validate(settings)
    except ValidationError as error:
        mistake = error.errors()[0]
        place = ".".join(str(part) for part in mistake["loc"] if part != "[key]")
        problem = f"{PREFIX}{place} {demand(mistake)}, not {quoted(mistake['input'])}"
        raise _refused(file, problem) from None


def _refused(file: ProtoFile, problem: str) -> ConfigError:
    return file.error(("parameters",), f"parameters: {problem}")
