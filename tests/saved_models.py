"""Small SavedModels for any test. Each function exports one version folder to ``path``, which must
not exist yet. Importing this module does not import TensorFlow."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from gateway.backends.tensorflow import import_tensorflow
from tests.saved_model_edits import edit
from tests.saved_model_exports import function, save, spec, tf1_signature

NUMERIC_DTYPES = (
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "bool"),
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
)


def half_plus_two(path: Path) -> None:
    """x float32 [-1] -> y = x / 2 + 2, with variables."""
    tf = import_tensorflow()
    half, two = tf.Variable(0.5), tf.Variable(2.0)
    signature = function({"x": spec("float32", None)}, lambda x: {"y": half * x + two})
    save(path, {"serving_default": signature}, half=half, two=two)


def several_inputs_and_outputs(path: Path) -> None:
    """a float32 [-1], b int64 [-1, 2], s string [-1] -> total = a + sum(b), doubled = 2 b, tag."""
    tf = import_tensorflow()
    inputs = {"a": spec("float32", None), "b": spec("int64", None, 2), "s": spec("string", None)}
    signature = function(
        inputs,
        lambda a, b, s: {
            "total": a + tf.cast(tf.reduce_sum(b, axis=1), tf.float32),
            "doubled": 2 * b,
            "tag": tf.strings.join(["<", s, ">"]),
        },
    )
    save(path, {"serving_default": signature})


def every_dtype(path: Path) -> None:
    """One signature per numeric dtype, named after it: x of unknown rank -> y, the same."""
    tf = import_tensorflow()
    specs = {name: tf.TensorSpec(None, tf.as_dtype(name), name="x") for name in NUMERIC_DTYPES}
    signatures = {
        name: function({"x": spec}, lambda x: {"y": tf.identity(x)}) for name, spec in specs.items()
    }
    save(path, signatures)


def strings(path: Path) -> None:
    """text string [-1] -> upper string [-1], length int32 [-1]. Signature ``first``: of the first
    row only, as scalars. Signature ``number``: text -> y float32, refuses what is no number."""
    tf = import_tensorflow()
    text = {"text": spec("string", None)}
    signatures = {
        "serving_default": function(
            text,
            lambda text: {"upper": tf.strings.upper(text), "length": tf.strings.length(text)},
        ),
        "first": function(text, lambda text: {"upper": tf.strings.upper(text[0])}),
        "number": function(text, lambda text: {"y": tf.strings.to_number(text)}),
    }
    save(path, signatures)


def variable_length(path: Path) -> None:
    """x float32 [-1, -1] -> total [-1], doubled [-1, -1]."""
    tf = import_tensorflow()
    signature = function(
        {"x": spec("float32", None, None)},
        lambda x: {"total": tf.reduce_sum(x, axis=1), "doubled": 2 * x},
    )
    save(path, {"serving_default": signature})


def scalar_output(path: Path) -> None:
    """x float32 [-1] -> mean float32 []. Signature ``fixed``: x [1] -> y [1]."""
    tf = import_tensorflow()
    signatures = {
        "serving_default": function(
            {"x": spec("float32", None)}, lambda x: {"mean": tf.reduce_mean(x)}
        ),
        "fixed": function({"x": spec("float32", 1)}, lambda x: {"y": x + 1}),
    }
    save(path, signatures)


def picky(path: Path) -> None:
    """x float32 [-1] -> y = sqrt(x); a negative x fails the run: "x must be >= 0"."""
    tf = import_tensorflow()

    def root(x: Any) -> dict[str, Any]:
        positive = tf.debugging.Assert(tf.reduce_all(x >= 0), ["x must be >= 0", x])
        with tf.control_dependencies([positive]):
            return {"y": tf.sqrt(x)}

    save(path, {"serving_default": function({"x": spec("float32", None)}, root)})


def mixes_rows(path: Path) -> None:
    """x float32 [-1, 3] -> y = x minus the greatest value of the whole batch."""
    tf = import_tensorflow()
    signature = function({"x": spec("float32", None, 3)}, lambda x: {"y": x - tf.reduce_max(x)})
    save(path, {"serving_default": signature})


def counter(path: Path) -> None:
    """x int64 [-1] -> count int64 [-1], the sum of all x so far, in every row. Signature ``peek``:
    the same without counting."""
    tf = import_tensorflow()
    total = tf.Variable(0, dtype=tf.int64)

    def count(x: Any) -> dict[str, Any]:
        return {"count": tf.zeros_like(x) + total.assign_add(tf.reduce_sum(x))}

    def peek(x: Any) -> dict[str, Any]:
        return {"count": tf.zeros_like(x) + total}

    inputs = {"x": spec("int64", None)}
    signatures = {"serving_default": function(inputs, count), "peek": function(inputs, peek)}
    save(path, signatures, total=total)


def with_default(path: Path) -> None:
    """x float32 [-1], bias float32 [-1] (default [2.5]) -> y = x + bias."""
    tf = import_tensorflow()
    inputs = {"x": spec("float32", None), "bias": spec("float32", None)}
    signature = function(inputs, lambda x, bias: {"y": x + bias})
    save(path, {"serving_default": signature})

    def add_default(graph: Any) -> None:
        defaults = graph.signature_def["serving_default"].defaults
        defaults["bias"].CopyFrom(tf.make_tensor_proto([2.5]))

    edit(path, add_default)


def broadcast_matmul(path: Path) -> None:
    """x float32 [-1, 1, 130, 8] -> y = x times one [8, 4] matrix of ones, the product that
    TensorFlow 2.21 computes wrongly, or dies of, from two rows on (see graph_rewrites)."""
    tf = import_tensorflow()
    signature = function(
        {"x": spec("float32", None, 1, 130, 8)}, lambda x: {"y": tf.matmul(x, tf.ones([8, 4]))}
    )
    save(path, {"serving_default": signature})


def tf1_export(path: Path) -> None:
    """What TensorFlow 1 exported: reference variables, a table that an initialiser fills.

    ``serving_default``: x float32 [-1] -> y = x / 2 + 2. ``increment``: nothing -> count float32
    [2], a reference. ``lookup``: key string [-1] -> value. ``echo``: x -> x itself and y.
    ``twins``: a and b, one tensor -> y.
    """
    tf1 = import_tensorflow().compat.v1
    graph = tf1.Graph()
    with graph.as_default(), tf1.Session(graph=graph) as session:
        x = tf1.placeholder(tf1.float32, [None], name="x")
        half = tf1.get_variable("half", initializer=0.5, use_resource=False)
        y = tf1.add(half * x, 2.0, name="y")
        count = tf1.get_variable("count", initializer=tf1.zeros([2]), use_resource=False)
        key = tf1.placeholder(tf1.string, [None], name="key")
        entries = tf1.lookup.KeyValueTensorInitializer(["one", "two"], [1, 2])
        table = tf1.lookup.StaticHashTable(entries, -1)
        signatures = {
            "serving_default": tf1_signature({"x": x}, {"y": y}),
            "increment": tf1_signature({}, {"count": tf1.assign_add(count, tf1.ones([2]))}),
            "lookup": tf1_signature({"key": key}, {"value": table.lookup(key)}),
            "echo": tf1_signature({"x": x}, {"x": x, "y": y, "again": y}),
            "twins": tf1_signature({"a": x, "b": x}, {"y": y}),
        }
        session.run(tf1.global_variables_initializer())
        builder = tf1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signatures, main_op=tf1.tables_initializer()
        )
        builder.save()


def vocabulary(path: Path) -> None:
    """word string [-1] -> number int64 [-1]: its line in an asset ("one", "two"), else -1."""
    tf = import_tensorflow()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as words:
        words.write("one\ntwo\n")
        words.flush()
        lines = tf.lookup.TextFileInitializer(
            words.name,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        table = tf.lookup.StaticHashTable(lines, -1)
        signature = function(
            {"word": spec("string", None)}, lambda word: {"number": table.lookup(word)}
        )
        save(path, {"serving_default": signature}, table=table)
