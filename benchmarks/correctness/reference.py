"""TensorFlow in this process: one session per model, called with one request at a time.

Shares nothing of how the gateway runs models: TensorFlow's own loader, ``Session.run`` and the
SignatureDef.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.backends.standard_error import quiet_standard_error

Arrays = dict[str, NDArray[Any]]

JSON_DTYPES = frozenset(
    np.dtype(name) for name in ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u4", "u8", "?", "O")
)
"""The dtypes that TF Serving's JSON carries."""


class NotLoaded(Exception):
    """TensorFlow cannot load the model."""


class Refused(Exception):
    """TensorFlow does not take these inputs."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output. ``shape`` is None for an unknown rank, a size None where it is free."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...] | None

    @property
    def has_free_rows(self) -> bool:
        return self.shape is None or self.shape[:1] == (None,)


@dataclass(frozen=True, slots=True)
class SignatureOf:
    """One signature of a model, tensors by alias."""

    model: str
    name: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    @property
    def obstacle(self) -> str:
        """Why it cannot be asked over JSON; empty when it can."""
        for alias, tensor in {**self.inputs, **self.outputs}.items():
            if tensor.dtype not in JSON_DTYPES:
                return f"{alias} has no JSON form ({tensor.dtype.name})"
        return ""


def import_tensorflow() -> Any:
    """TensorFlow, quiet, on the CPU and without oneDNN.

    oneDNN's kernels crash or answer wrongly on some batched products (see
    gateway/backends/graph_rewrites.py); without them a request of several rows is right too.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with quiet_standard_error():
        import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    return tf


class Reference:
    """A freshly loaded model, whose state is its own. Raises NotLoaded."""

    def __init__(self, model: str, path: Path) -> None:
        self._tf = import_tensorflow()
        tf1 = self._tf.compat.v1
        graph = tf1.Graph()
        self._session = tf1.Session(graph=graph)
        try:
            with graph.as_default():
                loaded = tf1.saved_model.loader.load(self._session, ["serve"], str(path))
        except (self._tf.errors.OpError, OSError, RuntimeError, ValueError, KeyError) as error:
            self._session.close()
            raise NotLoaded(str(error).partition("\n")[0][:200]) from error
        self.signatures = {
            name: self._signature(model, name, definition)
            for name, definition in sorted(loaded.signature_def.items())
            if definition.outputs and not name.startswith("__")
        }

    def run(self, signature: SignatureOf, inputs: Arrays) -> Arrays:
        """Outputs by alias. Raises Refused."""
        fetches = {alias: tensor.name for alias, tensor in signature.outputs.items()}
        feeds = {signature.inputs[alias].name: value for alias, value in inputs.items()}
        try:
            outputs = self._session.run(fetches, feeds)
        except (self._tf.errors.OpError, ValueError) as error:
            raise Refused(str(error).partition("\n")[0][:200]) from error
        return {alias: np.asarray(value) for alias, value in outputs.items()}

    def close(self) -> None:
        self._session.close()

    def _signature(self, model: str, name: str, definition: Any) -> SignatureOf:
        inputs = dict(self._tensors(definition.inputs))
        return SignatureOf(model, name, inputs, dict(self._tensors(definition.outputs)))

    def _tensors(self, infos: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
        for alias in sorted(infos):
            info = infos[alias]
            dtype = self._tf.as_dtype(info.dtype).base_dtype.as_numpy_dtype
            # The graph's own shape: TensorFlow 1 wrote an unknown rank as a scalar's.
            shape = self._session.graph.get_tensor_by_name(info.name).shape
            sizes = None if shape.rank is None else tuple(shape.as_list())
            yield alias, Tensor(info.name, np.dtype(dtype), sizes)
