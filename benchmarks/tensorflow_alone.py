"""``python -m benchmarks.tensorflow_alone MODEL``: what TensorFlow does without a server.

Full batches in a loop, made beforehand, through the public signature and through the gateway's own
session. Prints items a second of either as JSON, and per second of processor time. A process of its
own: it holds TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.zoo.catalogue import MODELS, Exported, read_export
from gateway.backends.tensorflow import TensorFlowBackend, import_tensorflow

WARMUP_RUNS = 3


def batch_of(exported: Exported, rows: int) -> Any:
    """A whole batch of the model's questions; rows of different lengths are padded with 0."""
    model = exported.model
    found = [exported.questions[number % model.questions].row for number in range(rows)]
    if model.variable_length:
        longest = max(map(len, found))
        found = [row + [0] * (longest - len(row)) for row in found]
    dtype: Any = object if model.dtype == "string" else model.dtype
    encoded = [row.encode() for row in found] if model.dtype == "string" else found
    return np.array(encoded, dtype)


Rate = tuple[float, float]
"""Items a second, and a second of processor time."""


def items_per_second(run: Callable[[], Any], rows: int, seconds: float) -> Rate:
    """How many rows a loop of ``run`` gets through."""
    for _ in range(WARMUP_RUNS):
        run()
    runs, started, cpu = 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - started) < seconds or not runs:
        run()
        runs += 1
    return runs * rows / elapsed, runs * rows / (time.process_time() - cpu)


def measure(exported: Exported, rows: int, seconds: float) -> dict[str, Rate]:
    """By way of calling TensorFlow."""
    model = exported.model
    array = batch_of(exported, rows)
    tf = import_tensorflow()
    loaded = tf.saved_model.load(str(exported.saved_model))
    signature, inputs = loaded.signatures["serving_default"], {model.input: tf.constant(array)}
    backend = TensorFlowBackend()
    device = backend.devices()[0]
    # Both loaded objects own what runs: they must outlive the loops.
    served = backend.load(exported.saved_model, [device])
    session = served.runner("serving_default", device)

    def by_signature() -> Any:
        return signature(**inputs)[model.output].numpy()

    def by_session() -> Any:
        return session({model.input: array})

    found = {
        "signature": items_per_second(by_signature, rows, seconds),
        "session": items_per_second(by_session, rows, seconds),
    }
    served.close()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tensorflow_alone")
    parser.add_argument("model", choices=tuple(MODELS))
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args(arguments)
    exported = read_export(MODELS[options.model], options.models_dir)
    print(json.dumps(measure(exported, options.rows, options.seconds)))


if __name__ == "__main__":
    main()
