"""Graphs in pieces: together they are the graph, whatever order its file has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends import stored_graph
from gateway.backends.stored_graph import StoredGraph
from gateway.backends.tensorflow import TensorFlowBackend, tensorflow_api
from gateway.backends.wire import bytes_header, fields
from tests import example_models, saved_models
from tests.backends.conftest import Export
from tests.saved_model_edits import edit, read_meta_graph

pytestmark = pytest.mark.tf


def read(path: Path) -> StoredGraph:
    return StoredGraph(tensorflow_api().saved_model_pb2.SavedModel, path, ["serve"])


def joined(pieces: list[bytes]) -> Any:
    """The graph that importing the pieces makes."""
    from tensorflow.core.framework.graph_pb2 import GraphDef

    graphs = [GraphDef.FromString(piece) for piece in pieces]
    assert len({graph.versions.SerializeToString() for graph in graphs}) == 1
    whole = GraphDef()
    for graph in graphs:
        whole.MergeFrom(graph)
    return whole


@pytest.mark.parametrize("changes", [0, 1])
@pytest.mark.parametrize("piece_bytes", [1, 1 << 18])
@pytest.mark.parametrize("great_bytes", [0, 1 << 24])
@pytest.mark.parametrize("exporter", [saved_models.counter, example_models.tf1_examples])
def test_pieces_make_the_graph(
    export: Export,
    monkeypatch: pytest.MonkeyPatch,
    exporter: Any,
    great_bytes: int,
    piece_bytes: int,
    changes: int,
) -> None:
    monkeypatch.setattr(stored_graph, "_PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(stored_graph, "_GREAT_BYTES", great_bytes)
    stored = read(export(exporter))
    stored.rewrite(lambda graph: changes)  # a changed graph is serialized, not read again
    graph = stored.meta_graph.graph_def
    pieces = list(stored.pieces(""))
    assert joined(pieces) == graph
    functions = len(graph.library.function)
    each_alone = great_bytes and piece_bytes == 1
    assert len(pieces) == 1 + (functions if each_alone else min(functions, 1))


def test_an_unchanged_graph_is_not_serialized(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = read(export(saved_models.counter))
    monkeypatch.setattr(stored_graph, "BytesIO", pytest.fail)
    assert list(stored.pieces(""))


def test_functions_come_after_all_nodes(export: Export) -> None:
    pieces = read(export(saved_models.counter)).pieces("")
    first, *others = (joined([piece]) for piece in pieces)
    assert not first.library.function
    assert others
    assert not any(graph.node for graph in others)


@pytest.mark.parametrize("device", ["", "/device:GPU:1"])
def test_pieces_of_a_changed_graph(export: Export, device: str) -> None:
    stored = read(export(saved_models.counter))

    def rename(graph: Any) -> int:
        graph.graph_def.node[0].name = "other"
        return 1

    assert stored.rewrite(rename) == 1
    pieces = list(stored.pieces(device))
    assert len(pieces) == 2
    graph = joined(pieces)
    assert graph == stored.meta_graph.graph_def
    assert graph.node[0].name == "other"
    assert {node.device for node in graph.node} == ({device} if device else {"", "/device:CPU:0"})


def test_devices_that_a_cpu_session_may_not_have_are_forgotten(tmp_path: Path) -> None:
    example_models.tf1_examples(tmp_path / "1")
    devices = ["/device:CPU:0", "/device:CPU:3", "/job:worker/device:CPU:0", "/device:GPU:0"]

    def place(graph: Any) -> None:
        for node, device in zip(graph.graph_def.node, devices, strict=False):
            node.device = device

    edit(tmp_path / "1", place)
    graph = joined(list(read(tmp_path / "1").pieces("")))
    assert [node.device for node in graph.node][:4] == ["/device:CPU:0", "", "", ""]


def swap_node_and_library(path: Path) -> None:
    """The same message, its fields in another order."""
    file = path / "saved_model.pb"
    graph = read_meta_graph(path)
    library = type(graph.graph_def)(library=graph.graph_def.library)
    graph.graph_def.ClearField("library")
    swapped = library.SerializeToString() + graph.graph_def.SerializeToString()
    graph.ClearField("graph_def")
    meta = graph.SerializeToString() + bytes_header(2, len(swapped)) + swapped
    file.write_bytes(bytes_header(2, len(meta)) + meta)


def split_graph(path: Path) -> None:
    """The graph as two fields, which protobuf merges."""
    file = path / "saved_model.pb"
    graph = read_meta_graph(path)
    half = type(graph)()
    half.graph_def.node.append(graph.graph_def.node[0])
    del graph.graph_def.node[0]
    meta = half.SerializeToString() + graph.SerializeToString()
    file.write_bytes(bytes_header(2, len(meta)) + meta)


@pytest.mark.parametrize("change", [swap_node_and_library, split_graph])
def test_unusual_files_are_read_all_the_same(
    backend: TensorFlowBackend, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "1"
    saved_models.half_plus_two(path)
    expected = read_meta_graph(path).graph_def
    change(path)
    stored = read(path)
    assert joined(list(stored.pieces(""))) == stored.meta_graph.graph_def == expected
    model = backend.load(path, ["cpu:0"])
    answer = model.runner("serving_default", "cpu:0")({"x": np.float32([1])})
    assert answer["y"].tolist() == [2.5]
    model.close()


def test_ops_that_are_functions_are_imported_with_them(
    backend: TensorFlowBackend, tmp_path: Path
) -> None:
    path = tmp_path / "1"
    saved_models.half_plus_two(path)

    def call_directly(graph: Any) -> None:
        for node in graph.graph_def.node:
            if node.op == "StatefulPartitionedCall" and "signature" in node.attr["f"].func.name:
                node.op = node.attr["f"].func.name
                node.attr.clear()

    edit(path, call_directly)
    assert len(list(read(path).pieces(""))) == 1
    model = backend.load(path, ["cpu:0"])
    answer = model.runner("serving_default", "cpu:0")({"x": np.float32([1])})
    assert answer["y"].tolist() == [2.5]
    model.close()


VALUES = st.one_of(st.floats(allow_nan=False), st.text(max_size=300), st.booleans())


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5))
def test_fields_are_where_they_are_said_to_be(content: dict[str, Any]) -> None:
    message = Struct()
    message.update(content)
    data = b"\xff" + message.SerializeToString()
    found = list(fields(data, 1, len(data)))
    assert len(found) == len(content)
    keys = set()
    for number, start, value, end in found:
        assert number == 1
        assert data[start:end] == bytes_header(1, end - value) + data[value:end]
        key, entry = fields(data, value, end)
        keys.add(data[key.value : key.end].decode())
        assert entry.number == 2
        Value.FromString(data[entry.value : entry.end])
    assert keys == set(content)


@pytest.mark.parametrize(
    "data", [b"\x0a\x05abc", b"\x0a", b"\x80", b"\x0b", b"\x09\0", b"\xff" * 12]
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(ValueError):
        list(fields(data, 0, len(data)))
