"""Model config files, written with TensorFlow Serving's own messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import text_format


@dataclass(frozen=True, slots=True)
class Model:
    """What the file says of one model."""

    base_path: Path
    policy: str = ""
    """``all``, ``latest:N`` or ``specific:N,N``; empty: the default."""
    labels: Mapping[str, int] = field(default_factory=dict)


def model_config(models: Mapping[str, Model]) -> str:
    """A ModelServerConfig as text."""
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = ModelServerConfig()
    config.model_config_list.SetInParent()
    for name, model in models.items():
        entry = config.model_config_list.config.add(
            name=name, base_path=str(model.base_path), model_platform="tensorflow"
        )
        entry.version_labels.update(model.labels)
        kind, _, numbers = model.policy.partition(":")
        policy = entry.model_version_policy
        if kind == "all":
            policy.all.SetInParent()
        elif kind == "latest":
            policy.latest.num_versions = int(numbers)
        elif kind == "specific":
            policy.specific.versions.extend(map(int, numbers.split(",")))
    return text_format.MessageToString(config)
