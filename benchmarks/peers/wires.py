"""How each peer wants a question in JSON, and where its answer is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.loadgen.answers import Read, Sample
from benchmarks.loadgen.load import Requests
from benchmarks.zoo.catalogue import Exported, Model

_DATATYPES = {"float32": "FP32", "int32": "INT32", "string": "BYTES"}


def compact(value: Any) -> bytes:
    """JSON without spaces, as most clients write it."""
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Wire:
    """A form of request and answer. ``body`` makes the body of a one-row request."""

    path: str
    """Where to post; ``{model}`` stands for the model's name."""
    body: Callable[[Model, Any], bytes]
    read: Read
    """The row of a body's answer."""

    def requests(self, exported: Exported) -> Requests:
        """The model's questions in this form."""
        model = exported.model
        samples = [Sample(self.body(model, one.row), one.answer) for one in exported.questions]
        return Requests(self.path.format(model=model.name), samples, self.read)


def instances(path: str) -> Wire:
    """TensorFlow Serving's row form, which adapters with JSON of their own use as well."""
    return Wire(path, _instances, _only_prediction)


def inference_protocol(path: str) -> Wire:
    """The Open Inference Protocol (V2): flat data beside its shape."""
    return Wire(path, _tensor, _flat_data)


def batchable(path: str) -> Wire:
    """BentoML's: arguments by name, the returned list as it is."""
    return Wire(path, _instances, _only_row)


def _instances(_: Model, row: Any) -> bytes:
    return compact({"instances": [row]})


def _only_prediction(body: bytes) -> Any:
    (row,) = json.loads(body)["predictions"]
    return row


def _only_row(body: bytes) -> Any:
    (row,) = json.loads(body)
    return row


def _tensor(model: Model, row: Any) -> bytes:
    shape, data = [1, *_shape(row)], _flat(row)
    tensor = {"name": model.input, "datatype": _DATATYPES[model.dtype], "shape": shape}
    # With an id of its own an answer's bytes are the same every time.
    return compact({"id": "1", "inputs": [tensor | {"data": data}]})


def _flat_data(body: bytes) -> Any:
    (output,) = json.loads(body)["outputs"]
    data = output["data"]
    return data if len(output["shape"]) > 1 else data[0]


def _shape(row: Any) -> list[int]:
    return [len(row), *_shape(row[0])] if isinstance(row, list) else []


def _flat(row: Any) -> list[Any]:
    return [value for part in row for value in _flat(part)] if isinstance(row, list) else [row]


PREDICTIONS = instances("/v1/models/{model}:predict")
"""The gateway's own."""


def raw_tensors(exported: Exported) -> Requests:
    """The model's questions as bytes, for answers as bytes (docs/binary-predict.md): float32."""
    samples = []
    for question in exported.questions:
        array = np.array([question.row], "<f4")
        headers = (
            ("Content-Type", "application/octet-stream"),
            ("Accept", "application/octet-stream"),
            ("X-Tensor-Dtype", "float32"),
            ("X-Tensor-Shape", ",".join(map(str, array.shape))),
        )
        samples.append(Sample(array.tobytes(), question.answer, headers))
    path = PREDICTIONS.path.format(model=exported.model.name)
    return Requests(path, samples, lambda body: np.frombuffer(body, "<f4").tolist())
