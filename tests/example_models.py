"""Small SavedModels that take serialized tf.Examples. Each function exports one version folder to
``path``, which must not exist yet. Importing this module does not import TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.backends.tensorflow import import_tensorflow
from tests.saved_model_exports import function, save, spec, tf1_signature


def examples(path: Path) -> None:
    """inputs string [-1], serialized tf.Examples with x float (1), k int64 (any number), name
    string (ragged), and y, which is parsed both as float and as int64 -> outputs = 2 x.

    Signature ``single``: of the first example only. ``text``: inputs -> length, parses nothing.
    """
    tf = import_tensorflow()
    features = {
        "x": tf.io.FixedLenFeature([], tf.float32),
        "k": tf.io.VarLenFeature(tf.int64),
        "name": tf.io.RaggedFeature(tf.string),
    }

    @tf.function(autograph=False)
    def parse(inputs: Any) -> Any:
        tf.io.parse_example(inputs, {"y": tf.io.VarLenFeature(tf.int64)})
        parsed = tf.io.parse_example(inputs, features | {"y": tf.io.VarLenFeature(tf.float32)})
        return parsed["x"]

    def parse_first(inputs: Any) -> dict[str, Any]:
        kinds = {"x": features["x"], "k": features["k"]}
        return {"outputs": 2 * tf.io.parse_single_example(inputs[0], kinds)["x"]}

    inputs = {"inputs": spec("string", None)}
    signatures = {
        "serving_default": function(inputs, lambda inputs: {"outputs": 2 * parse(inputs)}),
        "single": function(inputs, parse_first),
        "text": function(inputs, lambda inputs: {"length": tf.strings.length(inputs)}),
    }
    save(path, signatures)


def tf1_examples(path: Path) -> None:
    """What TensorFlow 1 exported: the op ParseExample, feature x float, k int64 (any number).

    ``serving_default``: inputs string [-1] -> outputs = 2 x. ``named``: inputs and names, a second
    string -> outputs.
    """
    tf = import_tensorflow()
    tf1 = tf.compat.v1
    graph = tf1.Graph()
    with graph.as_default(), tf1.Session(graph=graph) as session:
        inputs = tf1.placeholder(tf1.string, [None], name="inputs")
        names = tf1.placeholder_with_default(tf.constant([], tf.string), [None], name="names")
        parsed = tf.raw_ops.ParseExample(
            serialized=inputs,
            names=names,
            sparse_keys=["k"],
            dense_keys=["x"],
            dense_defaults=[tf.constant([0.0])],
            sparse_types=[tf.int64],
            dense_shapes=[[1]],
        )
        outputs = 2 * parsed.dense_values[0]
        signatures = {
            "serving_default": tf1_signature({"inputs": inputs}, {"outputs": outputs}),
            "named": tf1_signature({"inputs": inputs, "names": names}, {"outputs": outputs}),
        }
        builder = tf1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
