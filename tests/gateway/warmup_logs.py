"""Recorded requests for tests, and run functions that note what they get."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import RunFunction, Tensors
from gateway.codecs.tensor_proto import tensor_proto
from gateway.errors import Code, ServingError, invalid_argument
from gateway.models.warmup_records import WARMUP_FILE
from gateway.protos.serving import PredictionLog
from gateway.protos.tensors import Example
from gateway.tfrecord import frame


def write(folder: Path, data: bytes) -> Path:
    """A version folder with these bytes as its recorded requests."""
    path = folder / WARMUP_FILE
    path.parent.mkdir()
    path.write_bytes(data)
    return folder


def write_logs(folder: Path, logs: Iterable[Any]) -> Path:
    """A version folder with these PredictionLogs."""
    return write(folder, b"".join(frame(log.SerializeToString()) for log in logs))


def spec(signature: str = "") -> dict[str, str]:
    return {"name": "m", "signature_name": signature}


def predict_log(signature: str = "", **inputs: Any) -> Any:
    log = PredictionLog(predict_log={"request": {"model_spec": spec(signature)}})
    for alias, values in inputs.items():
        proto = tensor_proto(np.array(values, np.float32), "DT_FLOAT")
        log.predict_log.request.inputs[alias].CopyFrom(proto)
    return log


def example(number: int) -> Any:
    return Example(features={"feature": {"x": {"int64_list": {"value": [number]}}}})


INPUT = {"example_list": {"examples": [example(1), example(2)]}}


def examples_log(kind: str, signature: str = "") -> Any:
    request = {"model_spec": spec(signature), "input": INPUT}
    return PredictionLog(**{kind: {"request": request}})


def multi_log(*methods: str, **first: str) -> Any:
    tasks: list[dict[str, Any]] = [
        {"model_spec": spec(f"s{i}"), "method_name": f"tensorflow/serving/{method}"}
        for i, method in enumerate(methods)
    ]
    tasks[0]["model_spec"] |= first
    return PredictionLog(multi_inference_log={"request": {"tasks": tasks, "input": INPUT}})


class Runs:
    """Run functions that note what they are called with."""

    def __init__(self, *signatures: str) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.by_signature: dict[str, RunFunction] = {name: self._run(name) for name in signatures}

    def _run(self, name: str) -> RunFunction:
        def run(inputs: Tensors) -> dict[str, Any]:
            values = {alias: array.tolist() for alias, array in inputs.items()}
            if [666] in values.values():
                raise invalid_argument("cannot run this")
            self.seen.append((name, values))
            return {}

        return run


def refusal(function: Callable[[], Any]) -> tuple[Code, str]:
    with pytest.raises(ServingError) as caught:
        function()
    return caught.value.code, caught.value.message
