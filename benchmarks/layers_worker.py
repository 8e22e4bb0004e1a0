"""Times the layers of a predict request in this process and prints them as JSON.

``benchmarks.layers`` runs it, in turn with that of another checkout: it imports nothing but the
gateway, and only what every version of it has.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batching import Batcher, BatchPolicy, DevicePool, Inputs, Outputs
from batching.testing import ScriptedExecutor
from gateway.backends.base import Signature, TensorSpec
from gateway.codecs.predict_json import PredictBody, decode_inputs, encode_outputs, parse_predict

LARGE_BODY_BYTES = 16 * 1024
LAYERS = ("parse", "decode", "submit", "assemble, split", "complete", "encode")


@dataclass(frozen=True, slots=True)
class Case:
    """Requests of one kind; every request of a batch is the same but for the model's answer."""

    body: bytes
    signature: Signature
    outputs: Mapping[str, NDArray[Any]]
    """What the model answers a batch."""


class Stopwatch:
    """Processor seconds by layer."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(LAYERS, 0.0)

    def time(self, layer: str, function: Callable[[], Any]) -> Any:
        started = time.process_time()
        result = function()
        self.seconds[layer] += time.process_time() - started
        return result


def cases(rows: int) -> dict[str, Case]:
    """By name, for batches of ``rows`` requests."""
    random = np.random.default_rng(0)

    def floats(*shape: int) -> NDArray[Any]:
        return random.random(shape, np.float32)

    def numbers(*shape: int, outputs: int = 10) -> Case:
        row = floats(*shape).astype(float).round(6).tolist()
        signature = _signature({"x": np.float32}, {"y": np.float32})
        return Case(_body([row]), signature, {"y": floats(rows, outputs)})

    named = [{"a": [0.5, 1.5, 2.5, 3.5], "b": 7}]
    texts = np.empty((rows, 1), object)
    texts[:] = b"a class of things"
    return {
        "4 floats": numbers(4),
        "64 floats": numbers(64),
        "300 floats": numbers(300, outputs=100),
        "two inputs, two outputs": Case(
            _body(named),
            _signature({"a": np.float32, "b": np.int64}, {"y": np.float32, "z": np.float32}),
            {"y": floats(rows, 4), "z": floats(rows, 1)},
        ),
        "a text": Case(
            _body(["How long is a piece of string, and who says so?"]),
            _signature({"text": np.object_}, {"label": np.object_}),
            {"label": texts},
        ),
        "32x32x3 floats": numbers(32, 32, 3),
        "224x224x3 floats": numbers(224, 224, 3, outputs=1000),
    }


def measure(case: Case, rows: int, seconds: float) -> dict[str, float]:
    """Microseconds of processor time a request, by layer: the least of several batches."""
    return asyncio.run(_measure(case, rows, seconds))


async def _measure(case: Case, rows: int, seconds: float) -> dict[str, float]:
    executor = ScriptedExecutor()
    pool = DevicePool([executor])
    policy = BatchPolicy(max_batch_size=rows)
    dtypes = {alias: spec.dtype for alias, spec in case.signature.inputs.items()}
    batcher = Batcher(lambda _: case.outputs, pool, policy, dtypes=dtypes)
    least = dict.fromkeys(LAYERS, math.inf)
    # As the server does once its models are loaded.
    gc.collect()
    gc.freeze()
    end = time.perf_counter() + seconds
    batches = 0
    while batches < 3 or time.perf_counter() < end:
        batches += 1
        watch = Stopwatch()
        await _batch(case, rows, batcher, executor, watch)
        for layer, taken in watch.seconds.items():
            least[layer] = min(least[layer], taken / rows * 1e6)
    gc.unfreeze()
    batcher.close()
    pool.close()
    return least


async def _batch(
    case: Case, rows: int, batcher: Batcher, executor: ScriptedExecutor, watch: Stopwatch
) -> None:
    """One batch from the bodies of its requests to their answers."""
    inputs: list[Inputs] = []
    # The server never holds many large bodies half read.
    together = 1 if len(case.body) > LARGE_BODY_BYTES else rows
    while len(inputs) < rows:
        parsed = watch.time("parse", partial(_parse, case.body, together))
        form = parsed[0].form
        inputs += watch.time("decode", partial(_decode, parsed, case.signature))
        del parsed
    deadline = time.monotonic() + 60
    items = watch.time("submit", lambda: [batcher.submit(one, deadline=deadline) for one in inputs])
    while not executor.running:
        await asyncio.sleep(0)
    job = executor.running[0]
    watch.time("assemble, split", job.run)
    watch.time("complete", job.finish)
    outputs: list[Outputs] = [await item for item in items]
    watch.time("encode", lambda: [encode_outputs(one, case.signature, form) for one in outputs])


def _parse(body: bytes, times: int) -> list[PredictBody]:
    return [parse_predict(body) for _ in range(times)]


def _decode(bodies: list[PredictBody], signature: Signature) -> list[Inputs]:
    return [decode_inputs(body, signature) for body in bodies]


def _signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Signature:
    return Signature("serving_default", _specs(inputs), _specs(outputs))


def _specs(dtypes: Mapping[str, Any]) -> dict[str, TensorSpec]:
    names = {"float32": "DT_FLOAT", "int64": "DT_INT64", "object": "DT_STRING"}
    return {
        name: TensorSpec(name, np.dtype(dtype), names[np.dtype(dtype).name], None)
        for name, dtype in dtypes.items()
    }


def _body(instances: list[Any]) -> bytes:
    return json.dumps({"instances": instances}).encode()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Run by benchmarks.layers.")
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=0.2)
    options = parser.parse_args(arguments)
    timed = {
        name: measure(case, options.rows, options.seconds)
        for name, case in cases(options.rows).items()
    }
    print(json.dumps(timed))


if __name__ == "__main__":
    main()
