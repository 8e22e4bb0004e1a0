"""Model metadata and model configuration, as a version is served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict

from batching import BatchPolicy
from gateway.config.settings import ResolvedModel
from gateway.models.servable import SignatureQueue
from gateway.models.version_policy import parse_version_policy
from gateway.oip.interface import ModelInterface, TensorInterface

PLATFORM = "tensorflow_savedmodel"
BACKEND = "tensorflow"

_MICROSECONDS = 1_000_000


def model_metadata(name: str, versions: list[str], interface: ModelInterface) -> dict[str, Any]:
    """The answer of the metadata call."""
    return {
        "name": name,
        "versions": versions,
        "platform": PLATFORM,
        "inputs": [_metadata(tensor) for tensor in interface.inputs.values()],
        "outputs": [_metadata(tensor) for tensor in interface.outputs.values()],
    }


def model_config(
    settings: ResolvedModel,
    queue: SignatureQueue,
    interface: ModelInterface,
    devices: Sequence[str],
) -> dict[str, Any]:
    """Triton's ModelConfig as JSON with the names of its .proto: what config.pbtxt says, if there
    is one, with what is in force here. ``devices`` run the model."""
    rows = interface.max_batch_size
    written = _written(settings)
    labels = {output["name"]: output.get("label_filename", "") for output in written["output"]}
    effective: dict[str, Any] = {
        "name": settings.name,
        "platform": PLATFORM,
        "backend": BACKEND,
        "version_policy": _version_policy(settings),
        "max_batch_size": rows,
        "input": [_input(tensor, rows) for tensor in interface.inputs.values()],
        "output": [_output(tensor, rows, labels) for tensor in interface.outputs.values()],
        "instance_group": _instances(settings.name, devices),
        "parameters": written["parameters"]
        | {"TF_SIGNATURE_DEF": {"string_value": queue.signature.name}},
    }
    if rows and not queue.alone_because:
        effective["dynamic_batching"] = _dynamic_batching(settings, queue.batcher.policy)
    return written | effective


def _written(settings: ResolvedModel) -> dict[str, Any]:
    """The model's config.pbtxt, and what readers of a configuration expect to find."""
    defaults: dict[str, Any] = {
        "output": [],
        "batch_input": [],
        "batch_output": [],
        "default_model_filename": "model.savedmodel",
        "cc_model_filenames": {},
        "metric_tags": {},
        "parameters": {},
        "model_warmup": [],
    }
    triton = settings.triton
    if triton is None or triton.config is None:
        return defaults
    own = MessageToDict(triton.config, preserving_proto_field_name=True)
    own.pop("dynamic_batching", None)
    return defaults | own


def _metadata(tensor: TensorInterface) -> dict[str, Any]:
    # Triton's text for a type that the protocol does not have.
    datatype = tensor.datatype.name if tensor.datatype is not None else "<invalid>"
    return {"name": tensor.name, "datatype": datatype, "shape": _shape(tensor)}


def _shape(tensor: TensorInterface) -> list[int]:
    """Of an unknown rank at least one axis is told: a shape without any is a scalar's."""
    return list(tensor.shape) or ([-1] if tensor.any_rank else [])


def _config_tensor(tensor: TensorInterface, rows: int) -> dict[str, Any]:
    shape = _shape(tensor)
    members: dict[str, Any] = {
        "name": tensor.name,
        "data_type": tensor.datatype.config_name if tensor.datatype is not None else "TYPE_INVALID",
        "dims": shape[1:] if rows else shape,
    }
    if tensor.model_dims is not None:
        members["reshape"] = {"shape": list(tensor.model_dims)}
    return members


def _input(tensor: TensorInterface, rows: int) -> dict[str, Any]:
    return _config_tensor(tensor, rows) | {
        "format": "FORMAT_NONE",
        "is_shape_tensor": False,
        "allow_ragged_batch": tensor.ragged,
        "optional": tensor.optional,
    }


def _output(tensor: TensorInterface, rows: int, label_files: Mapping[str, str]) -> dict[str, Any]:
    return _config_tensor(tensor, rows) | {
        "label_filename": label_files.get(tensor.name, ""),
        "is_shape_tensor": False,
    }


def _version_policy(settings: ResolvedModel) -> dict[str, Any]:
    policy = parse_version_policy(settings.model_version_policy)
    if policy.kind == "latest":
        return {"latest": {"num_versions": policy.count}}
    if policy.kind == "specific":
        return {"specific": {"versions": sorted(policy.versions)}}
    return {"all": {}}


def _instances(name: str, devices: Iterable[str]) -> list[dict[str, Any]]:
    """CPUs in one group, each GPU in its own."""
    devices = list(devices)
    cpus = sum(device.startswith("cpu:") for device in devices)
    groups = [_group(name, 0, "KIND_CPU", cpus, [])] if cpus else []
    for device in devices:
        kind, _, index = device.partition(":")
        if kind == "gpu" and index.isdecimal():
            groups.append(_group(name, len(groups), "KIND_GPU", 1, [int(index)]))
    return groups


def _group(name: str, index: int, kind: str, count: int, gpus: list[int]) -> dict[str, Any]:
    return {"name": f"{name}_{index}", "kind": kind, "count": count, "gpus": gpus}


def _dynamic_batching(settings: ResolvedModel, policy: BatchPolicy) -> dict[str, Any]:
    queues: Mapping[int, Any] = settings.priority_queue_policies
    return {
        "preferred_batch_size": list(policy.allowed_batch_sizes) or [policy.max_batch_size],
        "max_queue_delay_microseconds": round(policy.batch_timeout * _MICROSECONDS),
        "preserve_ordering": settings.preserve_ordering,
        "priority_levels": settings.priority_levels,
        "default_priority_level": settings.default_priority_level,
        "default_queue_policy": {
            "timeout_action": settings.queue_timeout_action.upper(),
            "default_timeout_microseconds": settings.queue_timeout_us,
            "allow_timeout_override": settings.allow_timeout_override,
            "max_queue_size": settings.max_queue_size,
        },
        "priority_queue_policy": {
            str(level): {
                "timeout_action": own.timeout_action.upper(),
                "default_timeout_microseconds": own.timeout_us,
                "allow_timeout_override": own.allow_timeout_override,
                "max_queue_size": own.max_queue_size,
            }
            for level, own in queues.items()
        },
    }
