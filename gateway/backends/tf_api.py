"""TensorFlow as modules that do not import it see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TensorFlowApi:
    """The modules that loading and running need, handed over by the one that imports them."""

    tf: Any
    """``tensorflow``"""
    config_pb2: Any
    """ConfigProto, RunOptions, CallableOptions."""
    meta_graph_pb2: Any
    """MetaGraphDef, AssetFileDef."""
    saved_model_pb2: Any
    """SavedModel."""
    loader_impl: Any
    """The version 1 loader."""
    ops: Any
    """``tensorflow.python.framework.ops``"""
    pywrap_session: Any
    """Bindings of the C functions for graphs and sessions; no public interface."""
