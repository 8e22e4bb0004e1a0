"""Fields of a config.pbtxt that have no meaning here: refused where the model would answer
wrongly without them, noted where it only misses a service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.config.proto_text import ProtoFile

REFUSED: Mapping[str, str] = {
    "sequence_batching": "sequences with a state are not served",
    "batch_input": "inputs that the server makes of a batch are not supported",
    "batch_output": "outputs that the server splits by its own rules are not supported",
    "model_operations.op_library_filename": "libraries of operations are not loaded",
    "model_repository_agents": "repository agents are not run (a MANIFEST.sha256 in the version's "
    "folder is checked)",
    "model_transaction_policy.decoupled": "a request has one answer",
    "cc_model_filenames": "one file is loaded on all devices: default_model_filename",
}
NOTED: Mapping[str, str] = {
    "dynamic_batching.preferred_batch_size": "a free device takes what is there",
    "input.format": "layouts are not converted",
    "input.is_non_linear_format_io": "it is for TensorRT",
    "output.is_non_linear_format_io": "it is for TensorRT",
    "instance_group.profile": "it is for TensorRT",
    "instance_group.rate_limiter": "models take turns at the devices",
    "instance_group.secondary_devices": "there are none",
    "instance_group.host_policy": "host policies are not known",
    "instance_group.passive": "a passive group is left out",
    "optimization": "how graphs are run is told for all models (see the TensorFlow flags)",
    "response_cache.enable": "answers are not cached",
    "metric_tags": "metrics have the labels of this server",
    "model_metrics": "metrics have the buckets of this server",
    "runtime": "TensorFlow is part of this server",
}


def refuse_unsupported(file: ProtoFile) -> None:
    """Raises ConfigError for the first field of REFUSED that is set."""
    for name, why in REFUSED.items():
        if _is_set(file.message, name.split(".")):
            field = name.partition(".")[0]
            raise file.error((field,), f"{name} is not supported: {why}")


def noted_fields(file: ProtoFile) -> Iterator[str]:
    """A line for each field of NOTED that is set."""
    for name, why in NOTED.items():
        if _is_set(file.message, name.split(".")):
            yield f"{name} has no effect: {why}"


def _is_set(message: Any, path: list[str]) -> bool:
    """Whether a field is there, and not the zero of its type, in any of the messages on its way."""
    name, *inner = path
    set_here = {field.name: value for field, value in message.ListFields()}
    if name not in set_here:
        return False
    if not inner:
        return True
    value = set_here[name]
    messages = [value] if hasattr(value, "ListFields") else value
    return any(_is_set(each, inner) for each in messages)
