"""TF Serving's gRPC services, and the messages that only they have."""

from __future__ import annotations

from typing import Any

from gateway.protos.api import FILE as API
from gateway.protos.configuration import FILES as CONFIGURATION
from gateway.protos.schema import declare, declare_services
from gateway.protos.tensors import POOL

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

_PACKAGE = "tensorflow.serving"
_MANAGEMENT = "tensorflow.serving management"

_messages = declare(
    POOL,
    _PACKAGE,
    {
        "ReloadConfigRequest": """
            tensorflow.serving.ModelServerConfig config = 1
            repeated string metric_names = 2
        """,
        "ReloadConfigResponse": """
            StatusProto status = 1
            repeated Metric metric = 2
        """,
        "Metric": """
            string name = 1
            int64 int64_value_increase = 2 in value_increase
        """,
    },
    imports=(API, *CONFIGURATION),
    name=_MANAGEMENT,
)

_PREDICTION_METHODS = {
    "Classify": ("ClassificationRequest", "ClassificationResponse"),
    "Regress": ("RegressionRequest", "RegressionResponse"),
    "Predict": ("PredictRequest", "PredictResponse"),
    "MultiInference": ("MultiInferenceRequest", "MultiInferenceResponse"),
    "GetModelMetadata": ("GetModelMetadataRequest", "GetModelMetadataResponse"),
}
_MODEL_METHODS = {
    "GetModelStatus": ("GetModelStatusRequest", "GetModelStatusResponse"),
    "HandleReloadConfigRequest": ("ReloadConfigRequest", "ReloadConfigResponse"),
}

declare_services(
    POOL,
    _PACKAGE,
    {
        service.rpartition(".")[2]: {
            method: (f"{_PACKAGE}.{request}", f"{_PACKAGE}.{answer}")
            for method, (request, answer) in methods.items()
        }
        for service, methods in (
            (PREDICTION_SERVICE, _PREDICTION_METHODS),
            (MODEL_SERVICE, _MODEL_METHODS),
        )
    },
    imports=(API, _MANAGEMENT),
    name="tensorflow.serving services",
)

ReloadConfigRequest: Any = _messages["ReloadConfigRequest"]
ReloadConfigResponse: Any = _messages["ReloadConfigResponse"]
