"""Settings that follow from switches and files of TF Serving and Triton.

They are weaker than the same settings under their own names (``Rank.TENSORFLOW_SERVING``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.config.batching_file import batch_settings, parse_batching_parameters, unused_fields
from gateway.config.errors import ConfigError
from gateway.config.files import ConfigFiles
from gateway.config.layers import Found, Layer, Rank
from gateway.config.platform_file import read_platform_config
from gateway.config.server_files import monitoring_path, read_ssl_config
from gateway.config.settings import Settings
from gateway.config.wording import Key, quoted

_LOOKS = ("file_system_poll_wait_seconds", "model_config_file_poll_wait_seconds")
_PARALLELISM = ("tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism")


@dataclass(frozen=True, slots=True)
class Derived:
    """Settings to put under the others, and what to tell about them."""

    layer: Layer
    notes: tuple[str, ...] = ()


def derived_settings(found: Layer, settings: Settings, files: ConfigFiles) -> Derived:
    """What follows from ``found``, whose values are ``settings``.

    Raises ConfigError for a bad file, and for switches that contradict each other.
    """
    parts = (
        _platform(found, settings, files)
        if settings.platform_config_file
        else _batching(found, settings, files),
        _monitoring(settings, files),
        _ssl(settings, files),
        _parallelism(found, settings),
        _model_control(found, settings),
    )
    layer = {key: value for part in parts for key, value in part.layer.items()}
    return Derived(layer, tuple(note for part in parts for note in part.notes))


def _layer(settings: Mapping[str, object], origin: str) -> dict[Key, Found]:
    return {
        (setting,): Found(value, origin, Rank.TENSORFLOW_SERVING)
        for setting, value in settings.items()
    }


def _told(found: Layer, setting: str) -> str:
    """``batching_parameters_file (flag --batching_parameters_file)``"""
    return f"{setting} ({found[setting,].origin})"


def _batching(found: Layer, settings: Settings, files: ConfigFiles) -> Derived:
    layer: dict[Key, Found] = {}
    switch = found.get(("enable_batching",))
    if switch is not None:
        batching = "auto" if settings.enable_batching else "off"
        layer = _layer({"batching": batching}, switch.origin)
    if not settings.batching_parameters_file:
        return Derived(layer)
    if switch is None or not settings.enable_batching:
        file = _told(found, "batching_parameters_file")
        raise ConfigError(f"{file} needs enable_batching, which is not set to true")
    parameters, notes = _batching_file(settings, files)
    return Derived(layer | parameters, tuple(notes))


def _batching_file(settings: Settings, files: ConfigFiles) -> tuple[dict[Key, Found], list[str]]:
    label = settings.batching_parameters_file
    file = parse_batching_parameters(files.read(label, "batching parameters file"), label)
    parameters = batch_settings(file)
    notes = []
    if unused := unused_fields(file.message):
        notes.append(
            f"{label}: {', '.join(unused)} without effect: each device has a thread of its own "
            "(see devices)"
        )
    if settings.enable_per_model_batching_parameters and parameters:
        notes.append(
            f"{label}: {', '.join(parameters)} not used, because each version has its own "
            "batching_params.pbtxt (enable_per_model_batching_parameters)"
        )
        parameters = {}
    return _layer(parameters, label), notes


def _platform(found: Layer, settings: Settings, files: ConfigFiles) -> Derived:
    label = settings.platform_config_file
    platform = read_platform_config(files.read(label, "platform config file"), label)
    notes = [
        f"{_told(found, setting)} is not used, because "
        f"{_told(found, 'platform_config_file')} says how to batch"
        for setting in ("enable_batching", "batching_parameters_file")
        if (setting,) in found
    ]
    if platform.unused:
        notes.append(f"{label}: without effect: {', '.join(platform.unused)}")
    return Derived(_layer(platform.settings, label), tuple(notes))


def _monitoring(settings: Settings, files: ConfigFiles) -> Derived:
    label = settings.monitoring_config_file
    if not label:
        return Derived({})
    path = monitoring_path(files.read(label, "monitoring config file"), label)
    return Derived(_layer({"monitoring_path": path}, label))


def _ssl(settings: Settings, files: ConfigFiles) -> Derived:
    """Only looked at: the server reads it when it starts, and again when it changes."""
    label = settings.ssl_config_file
    if label:
        read_ssl_config(files.read(label, "SSL config file"), label)
    return Derived({})


def _parallelism(found: Layer, settings: Settings) -> Derived:
    both = settings.tensorflow_session_parallelism
    if not both:
        return Derived({})
    if settings.tensorflow_intra_op_parallelism and settings.tensorflow_inter_op_parallelism:
        given = "; ".join(
            _given(found, settings, ("tensorflow_session_parallelism", *_PARALLELISM))
        )
        raise ConfigError(f"the first of these sets the other two, leave some out: {given}")
    origin = found["tensorflow_session_parallelism",].origin
    return Derived(_layer(dict.fromkeys(_PARALLELISM, both), origin))


def _model_control(found: Layer, settings: Settings) -> Derived:
    """When the model repository is looked at. By default that is once (Triton)."""
    if not settings.model_repository:
        return Derived({})
    mode = settings.model_control_mode
    poll = settings.repository_poll_secs if mode == "poll" else 0.0
    derived: dict[str, object] = dict.fromkeys(_LOOKS, poll)
    if mode == "explicit":
        # Who loads a model is told that it failed, and decides about another try.
        derived["max_num_load_retries"] = 0
    given = found.get(("model_control_mode",))
    return Derived(_layer(derived, given.origin if given else "model_control_mode"))


def _given(found: Layer, settings: Settings, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield f"{name} = {quoted(getattr(settings, name))} ({found[name,].origin})"
