"""GET /v1/models and GET /v1/models/NAME[/versions/N or /labels/L][/metadata]"""

from __future__ import annotations

from typing import Any

from gateway.config.wording import without_folders
from gateway.http.paths import ModelPath
from gateway.models.registry import ModelEntry, Registry
from gateway.models.versions import VersionRecord


def list_answer(registry: Registry, _path: ModelPath) -> dict[str, Any]:
    """All configured models. Not in TF Serving's API.

    Versions are as in the status answer; ``labels`` holds, for each label in force, the weights of
    its versions; ``error``, if there, why no version was found; ``configuration`` tells whether the
    newest one is in force, and if not, why.
    """
    status = registry.configuration
    return {
        "models": [_model(name, entry) for name, entry in registry.models.items()],
        "configuration": {
            "generation": status.generation,
            "error": without_folders(status.error),
        },
    }


def status_answer(registry: Registry, path: ModelPath) -> dict[str, Any]:
    """States of a model's versions (GetModelStatusResponse as proto3 JSON).

    A label is ignored and all versions are listed, as TF Serving does. Raises ServingError (404).
    """
    records = registry.status(path.name, path.version)
    return {"model_version_status": [_status(record) for record in records]}


def metadata_answer(registry: Registry, path: ModelPath) -> dict[str, Any]:
    """Signatures of one version (GetModelMetadataResponse as proto3 JSON, its doubled key
    included). Raises ServingError (404)."""
    servable = registry.resolve(path.name, path.version, path.label)
    return {
        "model_spec": {
            "name": servable.name,
            "signature_name": "",
            "version": str(servable.version),
        },
        "metadata": {"signature_def": {"signature_def": servable.model.metadata}},
    }


def _model(name: str, entry: ModelEntry) -> dict[str, Any]:
    newest_first = sorted(entry.versions.values(), key=lambda r: r.version, reverse=True)
    labels = {
        label: {str(version): weight for version, weight in targets.items()}
        for label, targets in entry.label_targets.items()
    }
    return {
        "name": name,
        "ready": entry.ready,
        "versions": [_status(record) for record in newest_first],
        "labels": labels,
        **({"error": entry.error.message} if entry.error is not None else {}),
    }


def _status(record: VersionRecord) -> dict[str, Any]:
    error = record.error
    return {
        "version": str(record.version),
        "state": record.state.value,
        "status": {
            "error_code": error.code.name if error else "OK",
            "error_message": error.message if error else "",
        },
    }
