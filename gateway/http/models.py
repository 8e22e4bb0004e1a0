"""GET /v1/models/NAME[/versions/N][/metadata]"""

from __future__ import annotations

from typing import Any

from gateway.http.paths import ModelPath
from gateway.models.registry import Registry
from gateway.models.versions import VersionRecord


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
