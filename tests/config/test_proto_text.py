"""Where the fields of a protobuf text stand."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from google.protobuf.struct_pb2 import ListValue, Struct
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.proto_text import Path, ProtoFile, parse
from gateway.protos.config_files import POOL, BatchingParameters, PlatformConfigMap

ADAPTER = "type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig"

TEXT = f"""# comment
platform_configs {{ key: "other" }}
platform_configs: <
  key: "tensor"
       'flow',
  value {{
    source_adapter_config {{ [{ADAPTER}] {{
      legacy_config {{ batching_parameters {{
        allowed_batch_sizes: [1, 2,
          4] ; allowed_batch_sizes: 8
        max_batch_size {{ value: 8 }} }}
        session_config {{ intra_op_parallelism_threads: -1 inter_op_parallelism_threads: 2 }}
      }} }} }}
  }}
>
"""
LEGACY: Path = ("platform_configs", 1, "value", "source_adapter_config", ADAPTER, "legacy_config")


def place(file: ProtoFile, path: Path) -> str:
    return str(file.error(path, "wrong"))


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("platform_configs",), 2, 1),
        (("platform_configs", 1), 3, 1),
        (("platform_configs", 1, "key"), 4, 3),
        (("platform_configs", 1, "value"), 6, 3),
        (LEGACY, 8, 7),
        ((*LEGACY, "batching_parameters", "allowed_batch_sizes", 2), 9, 9),
        ((*LEGACY, "batching_parameters", "allowed_batch_sizes", 3), 10, 16),
        ((*LEGACY, "batching_parameters", "max_batch_size", "value"), 11, 26),
        ((*LEGACY, "session_config", "inter_op_parallelism_threads"), 12, 59),
    ],
)
def test_places(path: Path, line: int, column: int) -> None:
    file = parse(TEXT, PlatformConfigMap(), "p.conf", POOL)
    assert file.message.platform_configs.keys() == {"other", "tensorflow"}
    assert place(file, path) == f"p.conf, line {line}, column {column}: wrong"


def test_a_field_that_is_not_there_is_placed_at_what_is_around_it() -> None:
    file = parse("\n max_batch_size {}", BatchingParameters(), "b.conf")
    assert place(file, ("max_batch_size", "value")) == "b.conf, line 2, column 2: wrong"
    assert place(file, ("thread_pool_name",)) == "b.conf: wrong"
    assert place(file, ()) == "b.conf: wrong"


@given(st.lists(st.text(), max_size=5))
def test_texts_of_any_content_do_not_shift_later_fields(texts: list[str]) -> None:
    message = ListValue()
    message.extend(texts)
    text = text_format.MessageToString(message) + "values { bool_value: true }"
    file = parse(text, ListValue(), "list")
    last = text.count("\n") + 1
    assert place(file, ("values", len(texts))) == f"list, line {last}, column 1: wrong"


def test_nesting() -> None:
    text = "fields { key: 'a' value { struct_value { fields { key: 'b' } fields { key: 'c' } } } }"
    file = parse(text, Struct(), "struct")
    path = ("fields", "value", "struct_value", "fields", 1, "key")
    column = text.index("key: 'c'") + 1
    assert place(file, path) == f"struct, line 1, column {column}: wrong"
