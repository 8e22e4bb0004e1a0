"""TF Serving's requests and answers (package ``tensorflow.serving``)."""

from __future__ import annotations

from typing import Any

from gateway.errors import Code
from gateway.protos.schema import declare
from gateway.protos.signatures import FILE as SIGNATURES
from gateway.protos.tensors import FILE as TENSORS
from gateway.protos.tensors import POOL

FILE = "tensorflow.serving"
"""What other declarations import to use these messages."""

_ERRORS = "tensorflow.error"
_CODES = {code.name: code.grpc_code for code in Code if code is not Code.PAYLOAD_TOO_LARGE}
_RESERVED = "DO_NOT_USE_RESERVED_FOR_FUTURE_EXPANSION_USE_DEFAULT_IN_SWITCH_INSTEAD_"

declare(POOL, _ERRORS, {}, enums={"Code": _CODES | {_RESERVED: 20}})

_MODELS = {
    "ModelSpec": """
        string name = 1
        google.protobuf.Int64Value version = 2 in version_choice
        string version_label = 4 in version_choice
        string signature_name = 3
    """,
    "StatusProto": """
        tensorflow.error.Code error_code = 1 as error_code
        string error_message = 2 as error_message
    """,
    "GetModelStatusRequest": "ModelSpec model_spec = 1",
    "ModelVersionStatus": """
        int64 version = 1
        ModelVersionStatus.State state = 2
        StatusProto status = 3
    """,
    "GetModelStatusResponse": """
        repeated ModelVersionStatus model_version_status = 1 as model_version_status
    """,
    "SignatureDefMap": "map<string, tensorflow.SignatureDef> signature_def = 1",
    "GetModelMetadataRequest": """
        ModelSpec model_spec = 1
        repeated string metadata_field = 2
    """,
    "GetModelMetadataResponse": """
        ModelSpec model_spec = 1
        map<string, google.protobuf.Any> metadata = 2
    """,
}

_PREDICT = {
    "PredictRequest": """
        ModelSpec model_spec = 1
        map<string, tensorflow.TensorProto> inputs = 2
        repeated string output_filter = 3
        PredictStreamedOptions predict_streamed_options = 5
        optional bytes client_id = 6
        optional PredictRequest.RequestOptions request_options = 7
    """,
    "PredictRequest.RequestOptions": """
        optional bytes client_id = 1
        optional PredictRequest.RequestOptions.DeterministicMode deterministic_mode = 2
        optional bool return_additional_arrays_from_prefill = 3
        repeated int64 return_stoptokens = 4
        optional bool return_all_stoptokens = 9
        optional int64 max_cache_length = 6
        optional PredictRequest.RequestOptions.Handshake handshake = 13
    """,
    "PredictRequest.RequestOptions.Handshake": "int64 estimated_payload_bytes = 1",
    "PredictStreamedOptions": """
        PredictStreamedOptions.RequestState request_state = 1
        map<string, int32> split_dimensions = 2
        bool return_single_response = 3
    """,
    "PredictResponse": """
        ModelSpec model_spec = 2
        map<string, tensorflow.TensorProto> outputs = 1
    """,
}

_EXAMPLES = {
    "ExampleList": "repeated tensorflow.Example examples = 1",
    "ExampleListWithContext": """
        repeated tensorflow.Example examples = 1
        tensorflow.Example context = 2
    """,
    "Input": """
        ExampleList example_list = 1 in kind
        ExampleListWithContext example_list_with_context = 2 in kind
    """,
    "Class": """
        string label = 1
        float score = 2
    """,
    "Classifications": "repeated Class classes = 1",
    "ClassificationResult": "repeated Classifications classifications = 1",
    "ClassificationRequest": """
        ModelSpec model_spec = 1
        Input input = 2
    """,
    "ClassificationResponse": """
        ModelSpec model_spec = 2
        ClassificationResult result = 1
    """,
    "Regression": "float value = 1",
    "RegressionResult": "repeated Regression regressions = 1",
    "RegressionRequest": """
        ModelSpec model_spec = 1
        Input input = 2
    """,
    "RegressionResponse": """
        ModelSpec model_spec = 2
        RegressionResult result = 1
    """,
    "InferenceTask": """
        ModelSpec model_spec = 1
        string method_name = 2
    """,
    "InferenceResult": """
        ModelSpec model_spec = 1
        ClassificationResult classification_result = 2 in result
        RegressionResult regression_result = 3 in result
    """,
    "MultiInferenceRequest": """
        repeated InferenceTask tasks = 1
        Input input = 2
    """,
    "MultiInferenceResponse": "repeated InferenceResult results = 1",
}

_ENUMS = {
    "ModelVersionStatus.State": {
        "UNKNOWN": 0,
        "START": 10,
        "LOADING": 20,
        "AVAILABLE": 30,
        "UNLOADING": 40,
        "END": 50,
    },
    "PredictRequest.RequestOptions.DeterministicMode": {
        "DETERMINISTIC_MODE_UNSPECIFIED": 0,
        "FIXED_DECODER_SLOT": 1,
    },
    "PredictStreamedOptions.RequestState": {"NONE": 0, "SPLIT": 1, "END_SPLIT": 2, "CANCEL": 3},
}

_messages = declare(
    POOL,
    "tensorflow.serving",
    _MODELS | _PREDICT | _EXAMPLES,
    enums=_ENUMS,
    imports=(TENSORS, SIGNATURES, _ERRORS),
    name=FILE,
)

# The same bytes as an Input, its Examples left unread (TF Serving, serialized_input.proto).
_serialized = declare(
    POOL,
    "tensorflow.serving.internal",
    {
        "SerializedExampleList": "repeated bytes examples = 1",
        "SerializedExampleListWithContext": """
            repeated bytes examples = 1
            bytes context = 2
        """,
        "SerializedInput": """
            SerializedExampleList example_list = 1 in kind
            SerializedExampleListWithContext example_list_with_context = 2 in kind
        """,
    },
)

ModelSpec: Any = _messages["ModelSpec"]
StatusProto: Any = _messages["StatusProto"]
GetModelStatusRequest: Any = _messages["GetModelStatusRequest"]
ModelVersionStatus: Any = _messages["ModelVersionStatus"]
GetModelStatusResponse: Any = _messages["GetModelStatusResponse"]
SignatureDefMap: Any = _messages["SignatureDefMap"]
GetModelMetadataRequest: Any = _messages["GetModelMetadataRequest"]
GetModelMetadataResponse: Any = _messages["GetModelMetadataResponse"]
PredictRequest: Any = _messages["PredictRequest"]
PredictStreamedOptions: Any = _messages["PredictStreamedOptions"]
PredictResponse: Any = _messages["PredictResponse"]
ExampleList: Any = _messages["ExampleList"]
ExampleListWithContext: Any = _messages["ExampleListWithContext"]
Input: Any = _messages["Input"]
SerializedInput: Any = _serialized["SerializedInput"]
ClassificationRequest: Any = _messages["ClassificationRequest"]
ClassificationResult: Any = _messages["ClassificationResult"]
ClassificationResponse: Any = _messages["ClassificationResponse"]
RegressionRequest: Any = _messages["RegressionRequest"]
RegressionResult: Any = _messages["RegressionResult"]
RegressionResponse: Any = _messages["RegressionResponse"]
InferenceTask: Any = _messages["InferenceTask"]
InferenceResult: Any = _messages["InferenceResult"]
MultiInferenceRequest: Any = _messages["MultiInferenceRequest"]
MultiInferenceResponse: Any = _messages["MultiInferenceResponse"]
