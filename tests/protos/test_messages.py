"""Every declared message is the one of the official packages: same names, numbers, types."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.protos import services, serving, signatures, tensors, unread
from gateway.protos.tensors import POOL

pytestmark = pytest.mark.tf

PACKAGES = (
    "tensorflow",
    "tensorflow signatures",
    "tensorflow.serving",
    "tensorflow.serving logs",
    "tensorflow.serving management",
)
LEFT_OUT = {
    "tensorflow.serving.SessionRunRequest": {"options"},
    "tensorflow.serving.SessionRunResponse": {"metadata"},
}


def with_nested(message: Descriptor) -> list[Descriptor]:
    return [message, *(inner for child in message.nested_types for inner in with_nested(child))]


def declared() -> list[Descriptor]:
    files = [POOL.FindFileByName(name) for name in PACKAGES]
    return [m for file in files for top in file.message_types_by_name.values()
            for m in with_nested(top)]  # fmt: skip


@pytest.fixture(scope="module")
def official() -> Any:
    """The pool of the official packages."""
    from google.protobuf import descriptor_pool
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,  # noqa: F401
        get_model_status_pb2,  # noqa: F401
        model_service_pb2,  # noqa: F401
        prediction_log_pb2,  # noqa: F401
        prediction_service_pb2,  # noqa: F401
    )

    return descriptor_pool.Default()


def described(field: FieldDescriptor) -> tuple[Any, ...]:
    """All that a field's bytes, text and JSON depend on."""
    return (
        field.number,
        field.type,
        field.is_repeated,
        field.has_presence,
        field.is_packed if field.is_repeated else None,
        field.containing_oneof.name if field.containing_oneof else None,
        field.message_type.full_name if field.message_type else None,
        field.enum_type.full_name if field.enum_type else None,
        field.json_name,
    )


@pytest.mark.parametrize("message", declared(), ids=lambda message: message.full_name)
def test_fields_are_the_official_ones(message: Descriptor, official: Any) -> None:
    theirs = official.FindMessageTypeByName(message.full_name)
    left_out = LEFT_OUT.get(message.full_name, set())
    assert {field.name: described(field) for field in message.fields} == {
        field.name: described(field) for field in theirs.fields if field.name not in left_out
    }
    assert message.GetOptions().map_entry == theirs.GetOptions().map_entry


def all_enums() -> list[EnumDescriptor]:
    top = [POOL.FindFileByName(name).enum_types_by_name.values()
           for name in (*PACKAGES, "tensorflow.error")]  # fmt: skip
    nested = [message.enum_types for message in declared()]
    return [enum for group in (*top, *nested) for enum in group]


@pytest.mark.parametrize("enum", all_enums(), ids=lambda enum: enum.full_name)
def test_enum_numbers_are_the_official_ones(enum: EnumDescriptor, official: Any) -> None:
    theirs = official.FindEnumTypeByName(enum.full_name)
    assert {v.name: v.number for v in enum.values} == {v.name: v.number for v in theirs.values}


def test_what_is_compared() -> None:
    names = {message.full_name for message in declared()}
    assert {
        "tensorflow.TensorProto",
        "tensorflow.TensorShapeProto.Dim",
        "tensorflow.Features.FeatureEntry",
        "tensorflow.serving.PredictRequest.RequestOptions.Handshake",
        "tensorflow.serving.PredictionLog",
    } <= names
    assert {enum.full_name for enum in all_enums()} >= {
        "tensorflow.DataType",
        "tensorflow.error.Code",
        "tensorflow.serving.ModelVersionStatus.State",
    }


@pytest.mark.parametrize("module", [tensors, serving, signatures])
def test_classes_have_the_names_of_their_messages(module: Any) -> None:
    classes = {n: c for n, c in vars(module).items() if hasattr(c, "DESCRIPTOR")}
    assert classes
    assert {name: cls.DESCRIPTOR.name for name, cls in classes.items()} == {
        name: name for name in classes
    }


def test_what_is_left_out_survives_reading_and_writing() -> None:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    log.session_run_log.request.options.timeout_in_ms = 7
    assert serving.PredictionLog.FromString(log.SerializeToString()).SerializeToString() == (
        log.SerializeToString()
    )


def test_a_serialized_input_is_an_input() -> None:
    example = tensors.Example(features={"feature": {"x": {"int64_list": {"value": [1, 2]}}}})
    listed = serving.ExampleListWithContext(examples=[example, example], context=example)
    data = serving.Input(example_list_with_context=listed).SerializeToString()
    unread = serving.SerializedInput.FromString(data).example_list_with_context
    assert [tensors.Example.FromString(text) for text in unread.examples] == [example, example]
    assert tensors.Example.FromString(unread.context) == example


@pytest.mark.parametrize("name", [services.PREDICTION_SERVICE, services.MODEL_SERVICE])
def test_services_are_the_official_ones(official: Any, name: str) -> None:
    def calls(pool: Any) -> dict[str, tuple[str, str]]:
        return {
            method.name: (method.input_type.full_name, method.output_type.full_name)
            for method in pool.FindServiceByName(name).methods
        }

    assert calls(POOL) == calls(official)


@pytest.mark.parametrize(
    ("left_unread", "read"),
    [
        (unread.UnreadTensor, tensors.TensorProto),
        (unread.UnreadPredictRequest, serving.PredictRequest),
        (unread.UnreadExamplesRequest, serving.ClassificationRequest),
        (unread.UnreadExamplesRequest, serving.RegressionRequest),
        (unread.UnreadMultiInferenceRequest, serving.MultiInferenceRequest),
    ],
)
def test_unread_fields_are_numbered_as_those_that_are_read(left_unread: Any, read: Any) -> None:
    fields = {field.name: field.number for field in left_unread.DESCRIPTOR.fields}
    known = {field.name: field.number for field in read.DESCRIPTOR.fields}
    assert fields.items() <= known.items()
