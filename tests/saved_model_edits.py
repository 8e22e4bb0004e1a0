"""Reading and changing exported SavedModels. Importing this does not import TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.backends.tensorflow import import_tensorflow


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Let ``change`` edit the MetaGraphDef of an exported model."""
    model = _read(path)
    change(model.meta_graphs[0])
    (path / "saved_model.pb").write_bytes(model.SerializeToString())


def to_text(path: Path) -> None:
    """Put the protobuf text format of an exported model in place of the binary one."""
    from google.protobuf import text_format

    text = text_format.MessageToString(_read(path))
    (path / "saved_model.pb").unlink()
    (path / "saved_model.pbtxt").write_text(text)


def read_meta_graph(path: Path) -> Any:
    """The MetaGraphDef of an exported model."""
    return _read(path).meta_graphs[0]


def _read(path: Path) -> Any:
    import_tensorflow()
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    return SavedModel.FromString((path / "saved_model.pb").read_bytes())
