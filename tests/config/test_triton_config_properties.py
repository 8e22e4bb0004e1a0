"""Whatever a config.pbtxt, or a configuration that a client sends, holds: a model or a reason."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.text_format import MessageToString
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.files import ConfigFiles
from gateway.config.triton.pbtxt import ReadOptions
from gateway.config.triton.repository import RepositoryModel, read_model
from gateway.config.triton.unused import REFUSED
from gateway.protos.triton.model_config_pb2 import ModelConfig

NAMES = st.sampled_from(["x", "y", "m", "", "../up", "config.pbtxt", "tensorgate.padding", "ä/\0"])
NUMBERS = st.sampled_from([0, 1, 2, 4, 300, 2**31 - 1])

DECISIVE = {*(name.partition(".")[0] for name in REFUSED), "ensemble_scheduling"}
DECISIVE |= {"platform", "backend"}
"""Fields of which nearly every value ends the story."""


def fill(draw: Any, message: Any, depth: int) -> Any:
    """Some fields of ``message``, with values that may hurt."""
    fields = [field for field in message.DESCRIPTOR.fields if field.name not in DECISIVE]
    chosen = st.lists(st.sampled_from(fields), max_size=4, unique_by=lambda field: field.name)
    for field in draw(chosen) if fields else ():
        if depth or field.type != FieldDescriptor.TYPE_MESSAGE:
            fill_field(draw, message, field, depth)
    return message


def fill_field(draw: Any, message: Any, field: FieldDescriptor, depth: int) -> None:
    nested = field.message_type
    if nested is not None and nested.GetOptions().map_entry:
        values = nested.fields_by_name["value"]
        entry = getattr(message, field.name)
        if values.message_type is not None:
            fill(draw, entry[draw(key(nested))], depth - 1)
        else:
            entry[draw(key(nested))] = draw(NAMES.filter(lambda name: "\0" not in name))
    elif nested is not None:
        target = getattr(message, field.name)
        if field.is_repeated:
            fill(draw, target.add(), depth - 1)
        else:
            target.SetInParent()
            fill(draw, target, depth - 1)
    elif field.is_repeated:
        getattr(message, field.name).extend([draw(scalar(field))])
    else:
        setattr(message, field.name, draw(scalar(field)))


def key(entry: Descriptor) -> st.SearchStrategy[Any]:
    return scalar(entry.fields_by_name["key"])


def scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.type == FieldDescriptor.TYPE_STRING:
        return NAMES
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_ENUM:
        assert field.enum_type is not None
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return st.just(1.5)
    signed = field.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64)
    return NUMBERS | st.just(-1) if signed else NUMBERS


@st.composite
def configurations(draw: Any) -> Any:
    return fill(draw, ModelConfig(), 4)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*ModelConfig.DESCRIPTOR.fields_by_name, "dims", "key", "value", "?"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def read(text: str | bytes, config: Any = None) -> RepositoryModel:
    with TemporaryDirectory() as folder:
        model = Path(folder) / "m"
        (model / "1").mkdir(parents=True)
        content = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
        (model / "config.pbtxt").write_bytes(content)
        return read_model("m", [model], ReadOptions(), ConfigFiles(Path(folder)), config)


def check(model: RepositoryModel) -> None:
    """It is one that can be served, or says why not, in one line without a place."""
    problem = model.triton.problem
    assert "\n" not in problem
    assert str(model.triton.folder.parent) not in problem
    if not problem:
        assert ("batching" in model.settings) == (model.triton.max_batch_size is not None)


@settings(max_examples=150, deadline=None)
@given(configurations())
def test_any_configuration(config: Any) -> None:
    check(read(MessageToString(config)))


@settings(max_examples=60, deadline=None)
@given(st.text() | st.binary())
def test_any_text(text: str | bytes) -> None:
    check(read(text))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from([*ModelConfig.DESCRIPTOR.fields_by_name, "?"]), JSON))
def test_any_json(config: dict[str, Any]) -> None:
    check(read("", config))
