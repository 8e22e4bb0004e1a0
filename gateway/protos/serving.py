"""TF Serving's messages (package ``tensorflow.serving``): what ``api`` declares, and the logs of
requests and answers that warm-up files and request logs are made of."""

from __future__ import annotations

from typing import Any

from gateway.protos.api import FILE as API
from gateway.protos.api import ClassificationRequest as ClassificationRequest
from gateway.protos.api import ClassificationResponse as ClassificationResponse
from gateway.protos.api import ClassificationResult as ClassificationResult
from gateway.protos.api import ExampleList as ExampleList
from gateway.protos.api import ExampleListWithContext as ExampleListWithContext
from gateway.protos.api import GetModelMetadataRequest as GetModelMetadataRequest
from gateway.protos.api import GetModelMetadataResponse as GetModelMetadataResponse
from gateway.protos.api import GetModelStatusRequest as GetModelStatusRequest
from gateway.protos.api import GetModelStatusResponse as GetModelStatusResponse
from gateway.protos.api import InferenceResult as InferenceResult
from gateway.protos.api import InferenceTask as InferenceTask
from gateway.protos.api import Input as Input
from gateway.protos.api import ModelSpec as ModelSpec
from gateway.protos.api import ModelVersionStatus as ModelVersionStatus
from gateway.protos.api import MultiInferenceRequest as MultiInferenceRequest
from gateway.protos.api import MultiInferenceResponse as MultiInferenceResponse
from gateway.protos.api import PredictRequest as PredictRequest
from gateway.protos.api import PredictResponse as PredictResponse
from gateway.protos.api import PredictStreamedOptions as PredictStreamedOptions
from gateway.protos.api import RegressionRequest as RegressionRequest
from gateway.protos.api import RegressionResponse as RegressionResponse
from gateway.protos.api import RegressionResult as RegressionResult
from gateway.protos.api import SerializedInput as SerializedInput
from gateway.protos.api import SignatureDefMap as SignatureDefMap
from gateway.protos.api import StatusProto as StatusProto
from gateway.protos.configuration import FILES as CONFIGURATION
from gateway.protos.schema import declare
from gateway.protos.tensors import FILE as TENSORS
from gateway.protos.tensors import POOL

# SessionRunRequest.options and SessionRunResponse.metadata are left out: their types are half of
# TensorFlow's messages. As unknown fields they survive reading and writing.
_MESSAGES = {
    "SessionRunRequest": """
        ModelSpec model_spec = 1
        repeated tensorflow.NamedTensorProto feed = 2
        repeated string fetch = 3
        repeated string target = 4
        bool tensor_name_is_alias = 6
    """,
    "SessionRunResponse": """
        ModelSpec model_spec = 3
        repeated tensorflow.NamedTensorProto tensor = 1
    """,
    "LogMetadata": """
        ModelSpec model_spec = 1
        tensorflow.serving.SamplingConfig sampling_config = 2
        repeated string saved_model_tags = 3
        int64 timestamp_secs = 4
        string dc = 5
        string request_origin = 6
        string request_criticality = 7
        int64 safe_aggregation_privacy_key = 8
    """,
    "ClassifyLog": """
        ClassificationRequest request = 1
        ClassificationResponse response = 2
    """,
    "RegressLog": """
        RegressionRequest request = 1
        RegressionResponse response = 2
    """,
    "PredictLog": """
        PredictRequest request = 1
        PredictResponse response = 2
    """,
    "PredictStreamedLog": """
        repeated PredictRequest request = 1
        repeated PredictResponse response = 2
    """,
    "MultiInferenceLog": """
        MultiInferenceRequest request = 1
        MultiInferenceResponse response = 2
    """,
    "SessionRunLog": """
        SessionRunRequest request = 1
        SessionRunResponse response = 2
    """,
    "PredictionLog": """
        LogMetadata log_metadata = 1
        ClassifyLog classify_log = 2 in log_type
        RegressLog regress_log = 3 in log_type
        PredictLog predict_log = 6 in log_type
        PredictStreamedLog predict_streamed_log = 7 in log_type
        MultiInferenceLog multi_inference_log = 4 in log_type
        SessionRunLog session_run_log = 5 in log_type
    """,
}

_messages = declare(
    POOL,
    "tensorflow.serving",
    _MESSAGES,
    imports=(TENSORS, API, *CONFIGURATION),
    name="tensorflow.serving logs",
)

SessionRunLog: Any = _messages["SessionRunLog"]
LogMetadata: Any = _messages["LogMetadata"]
ClassifyLog: Any = _messages["ClassifyLog"]
RegressLog: Any = _messages["RegressLog"]
PredictLog: Any = _messages["PredictLog"]
PredictStreamedLog: Any = _messages["PredictStreamedLog"]
MultiInferenceLog: Any = _messages["MultiInferenceLog"]
PredictionLog: Any = _messages["PredictionLog"]
