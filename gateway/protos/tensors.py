"""TensorFlow's own messages (package ``tensorflow``): tensors, their types, and Examples."""

from __future__ import annotations

from typing import Any

from gateway.protos.schema import declare, new_pool

POOL = new_pool()
"""Knows what this package declares; the classes of different pools do not mix."""

_VALUE_TYPES = {
    "DT_FLOAT": 1,
    "DT_DOUBLE": 2,
    "DT_INT32": 3,
    "DT_UINT8": 4,
    "DT_INT16": 5,
    "DT_INT8": 6,
    "DT_STRING": 7,
    "DT_COMPLEX64": 8,
    "DT_INT64": 9,
    "DT_BOOL": 10,
    "DT_QINT8": 11,
    "DT_QUINT8": 12,
    "DT_QINT32": 13,
    "DT_BFLOAT16": 14,
    "DT_QINT16": 15,
    "DT_QUINT16": 16,
    "DT_UINT16": 17,
    "DT_COMPLEX128": 18,
    "DT_HALF": 19,
    "DT_RESOURCE": 20,
    "DT_VARIANT": 21,
    "DT_UINT32": 22,
    "DT_UINT64": 23,
    "DT_FLOAT8_E5M2": 24,
    "DT_FLOAT8_E4M3FN": 25,
    "DT_FLOAT8_E4M3FNUZ": 26,
    "DT_FLOAT8_E4M3B11FNUZ": 27,
    "DT_FLOAT8_E5M2FNUZ": 28,
    "DT_INT4": 29,
    "DT_UINT4": 30,
    "DT_INT2": 31,
    "DT_UINT2": 32,
    "DT_FLOAT4_E2M1FN": 33,
}
_REFERENCE = 100
"""The type of a reference to a variable is the variable's type plus this."""

DATA_TYPES = (
    {"DT_INVALID": 0}
    | _VALUE_TYPES
    | {f"{name}_REF": number + _REFERENCE for name, number in _VALUE_TYPES.items()}
)
"""Numbers of the enum ``DataType`` by name."""

FILE = "tensorflow"
"""What other declarations import to use these messages."""

_messages = declare(
    POOL,
    "tensorflow",
    {
        "TensorShapeProto": """
            repeated TensorShapeProto.Dim dim = 2
            bool unknown_rank = 3
        """,
        "TensorShapeProto.Dim": """
            int64 size = 1
            string name = 2
        """,
        "ResourceHandleProto": """
            string device = 1
            string container = 2
            string name = 3
            uint64 hash_code = 4
            string maybe_type_name = 5
            repeated ResourceHandleProto.DtypeAndShape dtypes_and_shapes = 6
        """,
        "ResourceHandleProto.DtypeAndShape": """
            DataType dtype = 1
            TensorShapeProto shape = 2
        """,
        "VariantTensorDataProto": """
            string type_name = 1
            bytes metadata = 2
            repeated TensorProto tensors = 3
        """,
        "TensorProto": """
            DataType dtype = 1
            TensorShapeProto tensor_shape = 2
            int32 version_number = 3
            bytes tensor_content = 4
            repeated float float_val = 5
            repeated double double_val = 6
            repeated int32 int_val = 7
            repeated bytes string_val = 8
            repeated float scomplex_val = 9
            repeated int64 int64_val = 10
            repeated bool bool_val = 11
            repeated double dcomplex_val = 12
            repeated int32 half_val = 13
            repeated ResourceHandleProto resource_handle_val = 14
            repeated VariantTensorDataProto variant_val = 15
            repeated uint32 uint32_val = 16
            repeated uint64 uint64_val = 17
            bytes float8_val = 18
        """,
        "NamedTensorProto": """
            string name = 1
            TensorProto tensor = 2
        """,
        "BytesList": "repeated bytes value = 1",
        "FloatList": "repeated float value = 1",
        "Int64List": "repeated int64 value = 1",
        "Feature": """
            BytesList bytes_list = 1 in kind
            FloatList float_list = 2 in kind
            Int64List int64_list = 3 in kind
        """,
        "Features": "map<string, Feature> feature = 1",
        "Example": "Features features = 1",
    },
    enums={"DataType": DATA_TYPES},
    name=FILE,
)

TensorShapeProto: Any = _messages["TensorShapeProto"]
TensorProto: Any = _messages["TensorProto"]
NamedTensorProto: Any = _messages["NamedTensorProto"]
Example: Any = _messages["Example"]
Features: Any = _messages["Features"]
Feature: Any = _messages["Feature"]
BytesList: Any = _messages["BytesList"]
FloatList: Any = _messages["FloatList"]
Int64List: Any = _messages["Int64List"]
