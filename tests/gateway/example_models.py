"""Models that take tf.Examples with a float feature ``x``, and an optional one ``weight``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gateway.backends.base import Tensors
from gateway.backends.tensorflow import import_tensorflow
from gateway.protos.tensors import Example
from tests.gateway.fake_backend import FakeSignature, Outputs, by_name, spec

EXAMPLES = by_name(spec("inputs", object))


def floats(inputs: Tensors, feature: str, default: float) -> list[float]:
    """The first value of a feature of each example."""
    found = []
    for serialized in inputs["inputs"]:
        features = Example.FromString(serialized).features.feature
        values = features[feature].float_list.value if feature in features else []
        found.append(values[0] if values else default)
    return found


def _classify(inputs: Tensors) -> Outputs:
    high = np.array(floats(inputs, "x", 0.0), np.float32)
    classes = np.array([[b"low", b"high"]] * len(high), object)
    return {"classes": classes, "scores": np.stack([1 - high, high], axis=1)}


def classifier() -> FakeSignature:
    """``low`` with a score of 1 - x, ``high`` with one of x."""
    return FakeSignature(
        _classify,
        EXAMPLES,
        by_name(spec("classes", object, 2), spec("scores", np.float32, 2)),
        method_name="tensorflow/serving/classify",
    )


def _regress(inputs: Tensors) -> Outputs:
    x, weight = floats(inputs, "x", 0.0), floats(inputs, "weight", 1.0)
    return {"outputs": np.array(x, np.float32) * np.array(weight, np.float32)}


def regressor() -> FakeSignature:
    """x times weight."""
    return FakeSignature(
        _regress,
        EXAMPLES,
        by_name(spec("outputs")),
        method_name="tensorflow/serving/regress",
    )


def parses_examples(path: Path) -> None:
    """A TensorFlow model. ``serving_default``: classes and scores as ``classifier``; ``regress``:
    outputs = x * weight, 1 without one."""
    tf = import_tensorflow()
    examples = tf.TensorSpec([None], tf.string, name="inputs")

    def parsed(inputs: Any) -> Any:
        features = {
            "x": tf.io.FixedLenFeature([1], tf.float32),
            "weight": tf.io.FixedLenFeature([1], tf.float32, default_value=[1.0]),
        }
        return tf.io.parse_example(inputs, features)

    def classify(inputs: Any) -> dict[str, Any]:
        x = parsed(inputs)["x"]
        classes = tf.tile([["low", "high"]], [tf.shape(x)[0], 1])
        return {"classes": classes, "scores": tf.concat([1 - x, x], axis=1)}

    def regress(inputs: Any) -> dict[str, Any]:
        found = parsed(inputs)
        return {"outputs": found["x"] * found["weight"]}

    signatures = {
        "serving_default": tf.function(classify, input_signature=[examples], autograph=False),
        "regress": tf.function(regress, input_signature=[examples], autograph=False),
    }
    tf.saved_model.save(tf.Module(), str(path), signatures=signatures)
