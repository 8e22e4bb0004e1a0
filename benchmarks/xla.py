"""``python -m benchmarks.xla``: what XLA gains on a model, and that no request waits for it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import count, seconds
from benchmarks.interleaved import interleaved, quiet
from benchmarks.machine import describe_machine
from benchmarks.report import table
from benchmarks.zoo.catalogue import ensure_models
from gateway.backends.base import Signature, Tensors
from gateway.backends.options import TensorFlowOptions
from gateway.backends.tensorflow import TensorFlowBackend
from gateway.config.settings import ResolvedModel, Settings
from gateway.models.compiling import shapes_to_compile
from gateway.models.loader import LoadedVersion, LoadOptions, load_version

DESCRIPTION = (
    "Processor time a run with and without XLA, in turn, for every shape that is compiled ahead."
    " `first` is the first run after the load: one that had to compile would take a tenth of a"
    " second and more."
)
SIGNATURE, DEVICE = "serving_default", "cpu:0"
MODELS = ("half_plus_two", "mlp", "cnn", "tokens")
HEAD = ("shape", "plain us", "XLA us", "plain / XLA", "first ms", "then ms", "difference")


def settings_of(base_path: Path, most: int, buckets: Sequence[int]) -> ResolvedModel:
    """A model to be compiled, its variable axes padded to ``buckets``."""
    padding = {"ids": {"axes": (1,), "buckets": tuple(buckets)}} if buckets else {}
    table = {"base_path": str(base_path), "xla": True, "max_batch_size": most, "padding": padding}
    return Settings.model_validate({"models": {"m": table}}).for_model("m")


def measure(compiled: LoadedVersion, plain: LoadedVersion, duration: float) -> list[list[str]]:
    """A line for each shape."""
    signature = compiled.model.signatures[SIGNATURE]
    fast, slow = (version.runners[SIGNATURE][DEVICE] for version in (compiled, plain))
    lines = []
    for shapes in shapes_to_compile(compiled.settings, signature):
        inputs = _random(signature, shapes)
        first, then = _milliseconds(fast, inputs), _milliseconds(fast, inputs)
        both = {"plain": partial(slow, inputs), "XLA": partial(fast, inputs)}
        turns = interleaved(both, duration)
        without, with_xla = quiet(turns["plain"]), quiet(turns["XLA"])
        text = " ".join(str(list(shape)) for shape in shapes.values())
        figures = (f"{without:.1f}", f"{with_xla:.1f}", f"{without / with_xla:.2f}")
        difference = _difference(fast(inputs), slow(inputs))
        lines.append([text, *figures, f"{first:.2f}", f"{then:.2f}", f"{difference:.0e}"])
    return lines


def _random(signature: Signature, shapes: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        name: (
            random.random(shapes[name]) if spec.dtype.kind == "f" else np.ones(shapes[name])
        ).astype(spec.dtype)
        for name, spec in signature.inputs.items()
    }


def _milliseconds(run: Any, inputs: Tensors) -> float:
    started = time.perf_counter()
    run(inputs)
    return (time.perf_counter() - started) * 1000


def _difference(one: Tensors, other: Tensors) -> float:
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.xla", description=DESCRIPTION)
    parser.add_argument("--model", choices=MODELS, default="mlp")
    parser.add_argument("--max-batch-size", type=count(512), default=32)
    parser.add_argument("--seconds", type=seconds(60), default=1.0, help="of each shape")
    options = parser.parse_args(arguments)
    exported = ensure_models([options.model])[options.model]
    print("\n".join(describe_machine().lines()))
    buckets = (32, 128, 512) if exported.model.variable_length else ()
    asked = settings_of(exported.base_path, options.max_batch_size, buckets)
    backend = TensorFlowBackend(TensorFlowOptions(intra_op_parallelism=1))
    started = time.perf_counter()
    compiled, plain = (
        load_version(backend, exported.saved_model, settings, [DEVICE], LoadOptions())
        for settings in (asked, asked.model_copy(update={"xla": False}))
    )
    print(f"loaded   with XLA and without in {time.perf_counter() - started:.1f} s")
    print("\n" + table(HEAD, measure(compiled, plain, options.seconds)))


if __name__ == "__main__":
    main()
