"""``python -m benchmarks.text``: what texts cost on their way into a model, against the model."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from batching.packed import BatchOutputs, OutputRows, PackedInputs, stack_packed
from benchmarks.arguments import counts, seconds
from benchmarks.interleaved import interleaved, quiet
from benchmarks.machine import describe_machine
from benchmarks.report import table
from benchmarks.zoo.catalogue import ensure_models
from gateway.backends.base import RunFunction, Signature
from gateway.backends.options import TensorFlowOptions
from gateway.backends.tensorflow import TensorFlowBackend, TensorFlowModel, import_tensorflow
from gateway.codecs.predict_json import Form, decode_inputs, encode_outputs, parse_predict

DESCRIPTION = (
    "Processor time a row: from JSON to a batch, in and out of TensorFlow with nothing done to the"
    " texts, the model's run (which contains that), from outputs to JSON."
)
SIGNATURE, DEVICE = "serving_default", "cpu:0"
COLUMNS = ("JSON in", "to a batch", "in and out", "run", "JSON out")


def export_identity(path: Path, alias: str) -> None:
    """A model that answers its texts."""
    tf = import_tensorflow()
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.string, name=alias)
    same = tf.function(lambda text: {"y": tf.identity(text)}, [spec], autograph=False)
    tf.saved_model.save(module, str(path), signatures={SIGNATURE: same})


def cost(
    model: TensorFlowModel, identity: RunFunction, texts: Sequence[str], duration: float
) -> list[float]:
    """Microseconds a row, by column, of a batch of ``texts``."""
    signature = model.signatures[SIGNATURE]
    bodies = [orjson.dumps({"instances": [text]}) for text in texts]
    requests = _decoded(bodies, signature)
    parts: Any = [(SimpleNamespace(inputs=request, rows=1), 0, 1) for request in requests]
    batch = stack_packed(parts, len(parts)) or {}
    run = model.runner(SIGNATURE, DEVICE)
    outputs = run(batch)

    def encode() -> None:
        shared = BatchOutputs(outputs)
        for row in range(len(texts)):
            encode_outputs(OutputRows(shared, row, row + 1), signature, Form.ROW)

    steps: list[Callable[[], object]] = [
        lambda: _decoded(bodies, signature),
        lambda: stack_packed(parts, len(parts)),
        lambda: identity(batch),
        lambda: run(batch),
        encode,
    ]
    turns = interleaved(dict(zip(COLUMNS, steps, strict=True)), duration)
    return [quiet(turns[column]) / len(texts) for column in COLUMNS]


def _decoded(bodies: Sequence[bytes], signature: Signature) -> list[PackedInputs]:
    decoded = [decode_inputs(parse_predict(body), signature) for body in bodies]
    return [inputs for inputs in decoded if isinstance(inputs, PackedInputs)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.text", description=DESCRIPTION)
    parser.add_argument("--rows", type=counts(4096), default=(1, 32, 128), help="of a batch")
    parser.add_argument("--seconds", type=seconds(60), default=2.0, help="of one size of batch")
    options = parser.parse_args(arguments)
    exported = ensure_models(["text"])["text"]
    print("\n".join(describe_machine().lines()))
    backend = TensorFlowBackend(TensorFlowOptions(intra_op_parallelism=1))
    model = backend.load(exported.saved_model, [DEVICE])
    with tempfile.TemporaryDirectory() as folder:
        export_identity(Path(folder, "1"), exported.model.input)
        same = backend.load(Path(folder, "1"), [DEVICE])
    texts = [question.row for question in exported.questions]
    lines = []
    for rows in options.rows:
        chosen = [texts[index % len(texts)] for index in range(rows)]
        costs = cost(model, same.runner(SIGNATURE, DEVICE), chosen, options.seconds)
        to_batch, both_ways, run = costs[1:4]
        share = (to_batch + both_ways) / run
        lines.append([f"{rows} rows", *(f"{value:.2f}" for value in costs), f"{share:.2f}"])
    print("\n" + table(["us a row", *COLUMNS, "(to a batch + in and out) / run"], lines))


if __name__ == "__main__":
    main()
