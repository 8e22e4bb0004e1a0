"""The same bytes as TF Serving's requests, with the values of tensors and Examples left unread.

Packed numbers are the bytes of an array already; to have them as Python numbers first costs a
hundred times as much. Everything that is ``repeated bytes`` here is one message or one packed
field there, which may come in pieces: joined, they are the same (protobuf, encoding).
"""

from __future__ import annotations

from typing import Any

from gateway.protos.api import FILE as API
from gateway.protos.schema import declare
from gateway.protos.tensors import POOL

_messages = declare(
    POOL,
    "tensorflow.serving.internal",
    {
        "UnreadTensor": """
            int32 dtype = 1
            repeated bytes tensor_shape = 2
            bytes tensor_content = 4
            repeated bytes float_val = 5
            repeated bytes double_val = 6
            repeated bytes int_val = 7
            repeated bytes string_val = 8
            repeated bytes scomplex_val = 9
            repeated bytes int64_val = 10
            repeated bytes bool_val = 11
            repeated bytes dcomplex_val = 12
            repeated bytes half_val = 13
            repeated bytes uint32_val = 16
            repeated bytes uint64_val = 17
            bytes float8_val = 18
        """,
        "UnreadPredictRequest": """
            repeated bytes model_spec = 1
            map<string, UnreadTensor> inputs = 2
            repeated string output_filter = 3
        """,
        "UnreadExamplesRequest": """
            repeated bytes model_spec = 1
            tensorflow.serving.internal.SerializedInput input = 2
        """,
        "UnreadMultiInferenceRequest": """
            repeated tensorflow.serving.InferenceTask tasks = 1
            tensorflow.serving.internal.SerializedInput input = 2
        """,
    },
    imports=(API, "tensorflow.serving.internal"),
    name="tensorflow.serving unread",
)

UnreadTensor: Any = _messages["UnreadTensor"]
UnreadPredictRequest: Any = _messages["UnreadPredictRequest"]
UnreadExamplesRequest: Any = _messages["UnreadExamplesRequest"]
"""A ClassificationRequest or a RegressionRequest."""
UnreadMultiInferenceRequest: Any = _messages["UnreadMultiInferenceRequest"]
