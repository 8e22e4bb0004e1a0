"""The graph of a SavedModel file: read, and given out in pieces that import quickly.

An import holds Python's global lock, so every millisecond of it stops the event loop. Two measures:
functions are imported after the nodes that call them, or each call would be followed into its
function to infer shapes that nobody needs (four fifths of the time); and the bytes of a graph that
is loaded as it is come from the file, read without the lock, instead of being serialized again
with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from gateway.backends.tf_errors import not_loaded
from gateway.backends.wire import Field, bytes_header, fields
from gateway.errors import Code, ServingError

MetaGraphDef = Any
GraphDef = Any
Span = tuple[int, int]
"""Offsets into a file: start and end."""

_PIECE_BYTES = 1 << 18
"""Functions that are imported together: about 2 ms."""
_GREAT_BYTES = 1 << 24
"""Functions of more than this in all, which hold weights, are imported at once."""

_META_GRAPHS, _GRAPH, _LIBRARY = 2, 2, 2
"""Field numbers: SavedModel.meta_graphs, MetaGraphDef.graph_def, GraphDef.library."""

_ON_CPU = re.compile(r"(/device:CPU:(0|\*))?")
"""Devices of nodes that run in any session for CPUs. The saver of every export names one."""


class Piece(NamedTuple):
    """A serialized GraphDef as parts of a stream."""

    head: bytes
    """What comes before them."""
    spans: Sequence[Span]


class StoredGraph:
    """The MetaGraphDef of one SavedModel file."""

    def __init__(self, saved_model_type: Any, path: Path, tags: Sequence[str]) -> None:
        """Read the graph that has exactly ``tags`` from the folder ``path``; ``saved_model_type``
        is the SavedModel message class. Raises ServingError; OSError without a file."""
        self._file = path / "saved_model.pb"
        data = self._file.read_bytes() if self._file.is_file() else b""
        if data:
            saved_model = _parsed(saved_model_type, data)
        else:
            saved_model = _parsed_text(saved_model_type, path / "saved_model.pbtxt")
        index = _index_of(saved_model, tags)
        self.meta_graph: MetaGraphDef = saved_model.meta_graphs[index]
        """To read."""
        self._layout = _layout_of_file(data, index) if data else None

    def rewrite(self, change: Callable[[MetaGraphDef], int]) -> int:
        """Let ``change`` edit the graph and say how much it did."""
        if changes := change(self.meta_graph):
            self._layout = None
        return changes

    def pieces(self, device: str) -> Iterator[bytes]:
        """Serialized GraphDefs to import in turn, the nodes all on ``device``, or on no particular
        one when it is empty."""
        graph = self.meta_graph.graph_def
        self.rewrite(lambda _: _put_on_device(graph, device))
        if _calls_functions_as_ops(graph):
            yield graph.SerializeToString()
        elif self._layout is not None:
            with self._file.open("rb") as content:
                yield from _read(content, self._layout)
        else:
            data = graph.SerializeToString()
            yield from _read(BytesIO(data), _layout(data, 0, len(data)) or [])


def _parsed(saved_model_type: Any, data: bytes) -> Any:
    try:
        return saved_model_type.FromString(data)
    except DecodeError:
        raise not_loaded(Code.DATA_LOSS, "its saved_model.pb is damaged") from None


def _parsed_text(saved_model_type: Any, file: Path) -> Any:
    try:
        return text_format.Parse(file.read_bytes(), saved_model_type())
    except (text_format.ParseError, UnicodeDecodeError):
        raise not_loaded(Code.DATA_LOSS, "its saved_model.pbtxt is damaged") from None


def _index_of(saved_model: Any, tags: Sequence[str]) -> int:
    for index, meta_graph in enumerate(saved_model.meta_graphs):
        if set(meta_graph.meta_info_def.tags) == set(tags):
            return index
    noun = "tag" if len(set(tags)) == 1 else "tags"
    names = ", ".join(f'"{tag}"' for tag in tags)
    raise ServingError(
        Code.FAILED_PRECONDITION,
        f"the SavedModel cannot be loaded: it has no graph with the {noun} {names}",
    )


def _put_on_device(graph: GraphDef, device: str) -> int:
    """The number of nodes that were elsewhere."""
    if device:
        others = [node for node in graph.node if node.device != device]
    else:
        others = [node for node in graph.node if not _ON_CPU.fullmatch(node.device)]
    for node in others:
        node.device = device
    return len(others)


def _calls_functions_as_ops(graph: GraphDef) -> bool:
    """TensorFlow 1 could name a function where an op stands; then it must be known before."""
    functions = {function.signature.name for function in graph.library.function}
    return any(node.op in functions for node in graph.node)


def _layout_of_file(data: bytes, index: int) -> Sequence[Piece] | None:
    """The pieces of the graph of the SavedModel ``data``."""
    meta_graphs = [field for field in fields(data, 0, len(data)) if field.number == _META_GRAPHS]
    inside = fields(data, meta_graphs[index].value, meta_graphs[index].end)
    graphs = [field for field in inside if field.number == _GRAPH]
    return _layout(data, graphs[0].value, graphs[0].end) if len(graphs) == 1 else None


def _layout(data: bytes, start: int, end: int) -> Sequence[Piece] | None:
    """The pieces of the GraphDef that is ``data[start:end]``; None where its fields do not lie in
    the order of their numbers. What follows nodes and functions, the versions, belongs to each."""
    order = list(fields(data, start, end))
    libraries = [field for field in order if field.number == _LIBRARY]
    if [f.number for f in order] != sorted(f.number for f in order) or len(libraries) > 1:
        return None
    if not libraries:
        return [Piece(b"", [(start, end)])]
    library = libraries[0]
    nodes = Piece(b"", [(start, library.start), (library.end, end)])
    return [nodes, *_library_pieces(data, library, end)]


def _library_pieces(data: bytes, library: Field, end: int) -> Iterator[Piece]:
    if library.end - library.start > _GREAT_BYTES:
        # Another copy, with the lock held, would cost more than smaller pieces gain.
        yield Piece(b"", [(library.start, end)])
        return
    for group in _groups(fields(data, library.value, library.end)):
        span = (group[0].start, group[-1].end)
        yield Piece(bytes_header(_LIBRARY, span[1] - span[0]), [span, (library.end, end)])


def _groups(entries: Iterable[Field]) -> Iterator[list[Field]]:
    """Neighbours of together ``_PIECE_BYTES`` at most, or one that is larger."""
    group: list[Field] = []
    for entry in entries:
        if group and entry.end - group[0].start > _PIECE_BYTES:
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _read(content: BinaryIO, pieces: Iterable[Piece]) -> Iterator[bytes]:
    for head, spans in pieces:
        parts = [_part(content, span) for span in spans]
        yield b"".join([head, *parts] if head else parts)


def _part(content: BinaryIO, span: Span) -> bytes:
    content.seek(span[0])
    return content.read(span[1] - span[0])
