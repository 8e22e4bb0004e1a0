"""How the values of each dtype stand in a TensorProto."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import ml_dtypes
import numpy as np

from gateway.protos.tensors import DATA_TYPES, TensorProto

MAX_RANK = 64
"""numpy's limit on dimensions."""

Form = Literal["fixed", "varints", "bytes", "strings"]


@dataclass(frozen=True, slots=True)
class Layout:
    """One dtype's typed field."""

    type_name: str
    """``DT_FLOAT``"""
    number: int
    """Its value in the enum DataType."""
    dtype: np.dtype[Any]
    field: str
    field_number: int
    words: np.dtype[Any]
    """What a value is stored as: its bits for half floats, two parts for complex numbers."""
    form: Form
    """Of the field on the wire: words of a fixed size, variable-length integers, a plain piece of
    memory, or a field for each value."""


_FORMS: Mapping[str, Form] = {
    "float_val": "fixed",
    "double_val": "fixed",
    "scomplex_val": "fixed",
    "dcomplex_val": "fixed",
    "string_val": "strings",
    "float8_val": "bytes",
}


def _layout(type_name: str, dtype: Any, field: str, words: Any = None) -> Layout:
    return Layout(
        type_name,
        DATA_TYPES[type_name],
        np.dtype(dtype),
        field,
        TensorProto.DESCRIPTOR.fields_by_name[field].number,
        np.dtype(words or dtype),
        _FORMS.get(field, "varints"),
    )


LAYOUTS: Mapping[str, Layout] = {
    layout.type_name: layout
    for layout in (
        _layout("DT_FLOAT", np.float32, "float_val"),
        _layout("DT_DOUBLE", np.float64, "double_val"),
        _layout("DT_HALF", np.float16, "half_val", np.uint16),
        _layout("DT_BFLOAT16", ml_dtypes.bfloat16, "half_val", np.uint16),
        _layout("DT_FLOAT8_E5M2", ml_dtypes.float8_e5m2, "float8_val"),
        _layout("DT_FLOAT8_E4M3FN", ml_dtypes.float8_e4m3fn, "float8_val"),
        _layout("DT_INT8", np.int8, "int_val"),
        _layout("DT_INT16", np.int16, "int_val"),
        _layout("DT_INT32", np.int32, "int_val"),
        _layout("DT_INT64", np.int64, "int64_val"),
        _layout("DT_UINT8", np.uint8, "int_val"),
        _layout("DT_UINT16", np.uint16, "int_val"),
        _layout("DT_UINT32", np.uint32, "uint32_val"),
        _layout("DT_UINT64", np.uint64, "uint64_val"),
        _layout("DT_BOOL", np.bool_, "bool_val"),
        _layout("DT_COMPLEX64", np.complex64, "scomplex_val", np.float32),
        _layout("DT_COMPLEX128", np.complex128, "dcomplex_val", np.float64),
        _layout("DT_STRING", object, "string_val"),
    )
}
"""By TensorFlow's names of the dtypes."""

BY_NUMBER = {layout.number: layout for layout in LAYOUTS.values()}
TYPE_NAMES = {number: name for name, number in DATA_TYPES.items()}


def shape_text(shape: tuple[int, ...]) -> str:
    """``[2,3]``"""
    return f"[{','.join(map(str, shape))}]"
