"""SavedModels for the rows of the reference. Each function exports one version folder to ``path``,
which must not exist yet. Importing this module does not import TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.backends.tensorflow import import_tensorflow
from tests.saved_model_exports import function, save

Inputs = Mapping[str, tuple[str, tuple[int | None, ...] | None]]
"""Dtype and shape (None: of any rank) by alias."""

VECTOR: Inputs = {"x": ("float32", (None,))}
TEXT: Inputs = {"text": ("string", (None,))}
ANY_TEXT: Inputs = {"text": ("string", None)}


def signature(inputs: Inputs, body: Callable[..., dict[str, Any]]) -> Any:
    """A signature with these inputs, computed by ``body``."""
    tf = import_tensorflow()
    specs = {
        alias: tf.TensorSpec(shape, tf.as_dtype(dtype)) for alias, (dtype, shape) in inputs.items()
    }
    return function(specs, body)


def one_column(path: Path) -> None:
    """x float32 [-1, 1] -> y = x / 2 + 2."""
    half = signature({"x": ("float32", (None, 1))}, lambda x: {"y": x / 2 + 2})
    save(path, {"serving_default": half})


def strings(path: Path) -> None:
    """Text of any shape, given back as it is: as ``text``, in signature ``bytes`` as
    ``text_bytes``, in ``both`` as both."""
    tf = import_tensorflow()
    signatures = {
        "serving_default": signature(ANY_TEXT, lambda text: {"text": tf.identity(text)}),
        "bytes": signature(ANY_TEXT, lambda text: {"text_bytes": tf.identity(text)}),
        "both": signature(
            ANY_TEXT, lambda text: {"text": tf.identity(text), "text_bytes": tf.identity(text)}
        ),
    }
    save(path, signatures)


def shapes(path: Path) -> None:
    """x float32 [-1] -> each [-1], and sum [1] beside it; signatures ``nothing``: none of the rows;
    ``half``: x as float16; ``scaled``: x [-1] times the sum of w [-1]; ``constant``: no input."""
    tf = import_tensorflow()
    two = {**VECTOR, "w": ("float32", (None,))}
    signatures = {
        "serving_default": signature(
            VECTOR, lambda x: {"each": tf.identity(x), "sum": tf.reduce_sum(x, keepdims=True)}
        ),
        "nothing": signature(VECTOR, lambda x: {"none": x[:0]}),
        "half": signature(VECTOR, lambda x: {"y": tf.cast(x, tf.float16)}),
        "scaled": signature(two, lambda x, w: {"y": x * tf.reduce_sum(w)}),
        "constant": signature({}, lambda: {"answer": tf.constant([42], tf.int64)}),
    }
    save(path, signatures)


def failures(path: Path) -> None:
    """Signatures that fail as their names say, text [-1] or x of any rank -> y."""
    tf = import_tensorflow()

    def read_uninitialised(text: Any) -> Any:
        handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="never_set")
        with tf.control_dependencies([text]):
            return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)

    def shape_mismatch(x: Any) -> Any:
        return tf.matmul(tf.reshape(x, [1, -1]), tf.ones([2, 2]))

    of_text: dict[str, Callable[[Any], Any]] = {
        "PARSE": tf.strings.to_number,
        "NOT_FOUND": lambda text: tf.io.read_file(text[0]),
        "FAILED_PRECONDITION": read_uninitialised,
        "DATA_LOSS": lambda text: tf.io.decode_compressed(text, "GZIP"),
    }
    of_numbers: dict[str, Callable[[Any], Any]] = {
        "SHAPE": shape_mismatch,
        "UNIMPLEMENTED": lambda x: tf.reverse(x, [0]),
        "OUT_OF_RANGE": lambda x: next(iter(tf.data.Dataset.from_tensors(x).take(0))),
    }
    any_rank: Inputs = {"x": ("float32", None)}
    signatures = {
        name: signature(TEXT, lambda text, body=body: {"y": body(text)})
        for name, body in of_text.items()
    } | {
        name: signature(any_rank, lambda x, body=body: {"y": body(x)})
        for name, body in of_numbers.items()
    }
    save(path, signatures)


def sleepy(path: Path) -> None:
    """ms float32 [-1] -> y = ms, after as many milliseconds as its greatest value."""
    tf = import_tensorflow()

    def sleep(ms: Any) -> dict[str, Any]:
        end = tf.timestamp() + tf.cast(tf.reduce_max(ms), tf.float64) / 1000
        waited = tf.while_loop(lambda _: tf.timestamp() < end, lambda n: (n + 1,), [0])
        return {"y": ms + tf.cast(waited[0] * 0, tf.float32)}

    save(path, {"serving_default": signature({"ms": ("float32", (None,))}, sleep)})


def tf1_assets(path: Path) -> None:
    """A TF1 export: word string [-1] -> id int64 [-1], from a table in an asset file that the
    initialiser reads; -1 for others."""
    tf1 = import_tensorflow().compat.v1
    vocabulary = path.parent / "vocabulary.txt"
    vocabulary.write_text("zero\none\ntwo\n")
    with tf1.Graph().as_default(), tf1.Session() as session:
        word = tf1.placeholder(tf1.string, [None], name="word")
        entries = tf1.lookup.TextFileInitializer(
            str(vocabulary),
            *(tf1.string, tf1.lookup.TextFileIndex.WHOLE_LINE),
            *(tf1.int64, tf1.lookup.TextFileIndex.LINE_NUMBER),
        )
        ids = tf1.lookup.StaticHashTable(entries, -1).lookup(word)
        builder = tf1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": tf1.saved_model.predict_signature_def({"word": word}, {"id": ids})},
            assets_collection=tf1.get_collection(tf1.GraphKeys.ASSET_FILEPATHS),
            main_op=tf1.tables_initializer(),
        )
        builder.save()
    vocabulary.unlink()


def adds(number: int) -> Callable[[Path], None]:
    """x float32 [-1] -> y = x + number, which is a variable: a stand-in for version ``number``."""

    def export(path: Path) -> None:
        tf = import_tensorflow()
        amount = tf.Variable(float(number))
        save(path, {"serving_default": signature(VECTOR, lambda x: {"y": x + amount})}, v=amount)

    return export
