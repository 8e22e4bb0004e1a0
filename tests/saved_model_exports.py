"""Parts of functions that export SavedModels. Importing this does not import TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.backends.tensorflow import import_tensorflow


def spec(dtype: str, *shape: int | None) -> Any:
    """A TensorSpec."""
    tf = import_tensorflow()
    return tf.TensorSpec(shape, tf.as_dtype(dtype))


def function(inputs: Mapping[str, Any], body: Callable[..., dict[str, Any]]) -> Any:
    """A tf.function of named inputs."""
    tf = import_tensorflow()
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in inputs.items()]
    return tf.function(body, input_signature=specs, autograph=False)


def save(path: Path, signatures: Mapping[str, Any], **tracked: Any) -> None:
    """Export functions, and the variables and tables ``tracked`` that they use."""
    tf = import_tensorflow()
    module = tf.Module()
    for name, variable in tracked.items():
        setattr(module, name, variable)
    tf.saved_model.save(module, str(path), signatures=dict(signatures))


def tf1_signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    """A SignatureDef of graph tensors."""
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

    def info(tensor: Any) -> Any:
        return TensorInfo(
            name=tensor.name,
            dtype=tensor.dtype.as_datatype_enum,
            tensor_shape=tensor.shape.as_proto(),
        )

    return SignatureDef(
        inputs={alias: info(tensor) for alias, tensor in inputs.items()},
        outputs={alias: info(tensor) for alias, tensor in outputs.items()},
        method_name="tensorflow/serving/predict",
    )
