"""TensorFlow's messages that describe signatures (package ``tensorflow``)."""

from __future__ import annotations

from typing import Any

from gateway.protos.schema import declare
from gateway.protos.tensors import FILE as TENSORS
from gateway.protos.tensors import POOL

FILE = "tensorflow signatures"
"""What other declarations import to use these messages."""

_TYPE_SPEC_CLASSES = {
    "UNKNOWN": 0,
    "SPARSE_TENSOR_SPEC": 1,
    "INDEXED_SLICES_SPEC": 2,
    "RAGGED_TENSOR_SPEC": 3,
    "TENSOR_ARRAY_SPEC": 4,
    "DATA_DATASET_SPEC": 5,
    "DATA_ITERATOR_SPEC": 6,
    "OPTIONAL_SPEC": 7,
    "PER_REPLICA_SPEC": 8,
    "VARIABLE_SPEC": 9,
    "ROW_PARTITION_SPEC": 10,
    "REGISTERED_TYPE_SPEC": 12,
    "EXTENSION_TYPE_SPEC": 13,
}

_messages = declare(
    POOL,
    "tensorflow",
    {
        "StructuredValue": """
            NoneValue none_value = 1 in kind
            double float64_value = 11 in kind
            sint64 int64_value = 12 in kind
            string string_value = 13 in kind
            bool bool_value = 14 in kind
            tensorflow.TensorShapeProto tensor_shape_value = 31 in kind
            tensorflow.DataType tensor_dtype_value = 32 in kind
            TensorSpecProto tensor_spec_value = 33 in kind
            TypeSpecProto type_spec_value = 34 in kind
            BoundedTensorSpecProto bounded_tensor_spec_value = 35 in kind
            ListValue list_value = 51 in kind
            TupleValue tuple_value = 52 in kind
            DictValue dict_value = 53 in kind
            NamedTupleValue named_tuple_value = 54 in kind
            tensorflow.TensorProto tensor_value = 55 in kind
            tensorflow.TensorProto numpy_value = 56 in kind
        """,
        "NoneValue": "",
        "ListValue": "repeated StructuredValue values = 1",
        "TupleValue": "repeated StructuredValue values = 1",
        "DictValue": "map<string, StructuredValue> fields = 1",
        "PairValue": """
            string key = 1
            StructuredValue value = 2
        """,
        "NamedTupleValue": """
            string name = 1
            repeated PairValue values = 2
        """,
        "TensorSpecProto": """
            string name = 1
            tensorflow.TensorShapeProto shape = 2
            tensorflow.DataType dtype = 3
        """,
        "BoundedTensorSpecProto": """
            string name = 1
            tensorflow.TensorShapeProto shape = 2
            tensorflow.DataType dtype = 3
            tensorflow.TensorProto minimum = 4
            tensorflow.TensorProto maximum = 5
        """,
        "TypeSpecProto": """
            TypeSpecProto.TypeSpecClass type_spec_class = 1
            StructuredValue type_state = 2
            string type_spec_class_name = 3
            int32 num_flat_components = 4
        """,
        "TensorInfo": """
            string name = 1 in encoding
            tensorflow.DataType dtype = 2
            tensorflow.TensorShapeProto tensor_shape = 3
            TensorInfo.CooSparse coo_sparse = 4 in encoding
            TensorInfo.CompositeTensor composite_tensor = 5 in encoding
        """,
        "TensorInfo.CooSparse": """
            string values_tensor_name = 1
            string indices_tensor_name = 2
            string dense_shape_tensor_name = 3
        """,
        "TensorInfo.CompositeTensor": """
            TypeSpecProto type_spec = 1
            repeated TensorInfo components = 2
        """,
        "SignatureDef": """
            map<string, TensorInfo> inputs = 1
            map<string, TensorInfo> outputs = 2
            string method_name = 3
            map<string, tensorflow.TensorProto> defaults = 4
        """,
    },
    enums={"TypeSpecProto.TypeSpecClass": _TYPE_SPEC_CLASSES},
    imports=(TENSORS,),
    name=FILE,
)

TensorInfo: Any = _messages["TensorInfo"]
SignatureDef: Any = _messages["SignatureDef"]
