"""SavedModels that take tf.Examples, and one that keeps count of what it was asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.backends.tensorflow import import_tensorflow
from tests.conformance.models import Inputs, signature
from tests.saved_model_exports import save

EXAMPLES: Inputs = {"inputs": ("string", (None,))}


def _parsed(inputs: Any) -> Any:
    """The float feature ``x`` of each example, shape [-1, 1]."""
    tf = import_tensorflow()
    features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
    return tf.io.parse_example(inputs, features)["x"]


def examples(path: Path) -> None:
    """Classify: ``low`` with score 1 - x and ``high`` with x; ``classes`` and ``scores``: one of
    the two outputs. Regress: ``regress`` 2 x as [-1], ``column`` as [-1, 1]. Not fit for either:
    ``wide`` [-1, 2], ``renamed``, ``two_inputs``, ``integers``."""
    tf = import_tensorflow()

    def classes(inputs: Any) -> dict[str, Any]:
        return {"classes": tf.tile([["low", "high"]], [tf.size(inputs), 1])}

    def scores(inputs: Any) -> dict[str, Any]:
        x = _parsed(inputs)
        return {"scores": tf.concat([1 - x, x], axis=1)}

    signatures = {
        "serving_default": signature(EXAMPLES, lambda inputs: classes(inputs) | scores(inputs)),
        "classes": signature(EXAMPLES, classes),
        "scores": signature(EXAMPLES, scores),
        "regress": signature(EXAMPLES, lambda inputs: {"outputs": 2 * _parsed(inputs)[:, 0]}),
        "column": signature(EXAMPLES, lambda inputs: {"outputs": 2 * _parsed(inputs)}),
        "wide": signature(EXAMPLES, lambda inputs: {"outputs": tf.tile(_parsed(inputs), [1, 2])}),
        "renamed": signature({"examples": EXAMPLES["inputs"]}, lambda examples: scores(examples)),
        "two_inputs": signature(
            {**EXAMPLES, "more": EXAMPLES["inputs"]}, lambda inputs, more: scores(inputs)
        ),
        "integers": signature(
            EXAMPLES, lambda inputs: {"outputs": tf.cast(_parsed(inputs)[:, 0], tf.int32)}
        ),
    }
    save(path, signatures)


def shows_examples(path: Path) -> None:
    """Each serialized example as its only class, so that tests see what the server built."""
    tf = import_tensorflow()
    shown = signature(EXAMPLES, lambda inputs: {"classes": tf.reshape(inputs, [-1, 1])})
    save(path, {"serving_default": shown})


def recorder(path: Path) -> None:
    """Writes down, as decimal digits, what it was asked. ``serving_default``: x int64 [-1], whose
    first value is the digit. ``classify`` and ``regress``: the number of examples. ``peek``: all
    digits so far."""
    tf = import_tensorflow()
    digits = tf.Variable(0, dtype=tf.int64)

    def note(digit: Any) -> Any:
        return tf.cast(digits.assign(10 * digits + tf.cast(digit, tf.int64)), tf.float32)

    def classify(inputs: Any) -> dict[str, Any]:
        return {"scores": tf.zeros([tf.size(inputs), 1]) + note(tf.size(inputs))}

    def regress(inputs: Any) -> dict[str, Any]:
        return {"outputs": tf.zeros([tf.size(inputs)]) + note(tf.size(inputs))}

    signatures = {
        "serving_default": signature(
            {"x": ("int64", (None,))}, lambda x: {"digits": note(x[0]) + tf.zeros(tf.shape(x))}
        ),
        "classify": signature(EXAMPLES, classify),
        "regress": signature(EXAMPLES, regress),
        "peek": signature({}, lambda: {"digits": tf.identity(digits)}),
    }
    save(path, signatures, digits=digits)
