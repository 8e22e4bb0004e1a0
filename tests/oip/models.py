"""Models with tensors of every datatype, and requests to them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gateway.backends.base import Tensors, TensorSpec
from gateway.errors import ServingError
from gateway.oip.binary import tensor_bytes
from gateway.oip.datatypes import DATATYPES
from tests.gateway.fake_backend import Content, FakeSignature, by_name
from tests.gateway.serving import Answer, Client, serving_fakes, until

T = TypeVar("T")

HEAD_LENGTH = "Inference-Header-Content-Length"


def tensor(name: str, datatype: str, *row: int | None, batched: bool = True) -> TensorSpec:
    """A spec of ``datatype`` with a free first axis, unless it is not ``batched``."""
    known = DATATYPES[datatype]
    shape = (None, *row) if batched else row
    return TensorSpec(name, known.dtype, known.type_name, shape)


def identity(datatype: str, *row: int | None) -> FakeSignature:
    """Gives ``x`` back as ``y``."""
    return FakeSignature(
        lambda inputs: {"y": inputs["x"].copy()},
        by_name(tensor("x", datatype, *row)),
        by_name(tensor("y", datatype, *row)),
    )


def _add_sub(inputs: Tensors) -> dict[str, NDArray[Any]]:
    a, b = inputs["a"], inputs["b"]
    return {"sum": a + b, "difference": a - b}


def add_sub(datatype: str = "INT32", size: int = 4) -> FakeSignature:
    """Two inputs ``a`` and ``b``, two outputs ``sum`` and ``difference``: rows of ``size``."""
    return FakeSignature(
        _add_sub,
        by_name(tensor("a", datatype, size), tensor("b", datatype, size)),
        by_name(tensor("sum", datatype, size), tensor("difference", datatype, size)),
    )


SAMPLES: Mapping[str, NDArray[Any]] = {
    "BOOL": np.array([[True, False, True]]),
    "UINT8": np.array([[0, 1, 255]], np.uint8),
    "UINT16": np.array([[0, 1, 65535]], np.uint16),
    "UINT32": np.array([[0, 1, 2**32 - 1]], np.uint32),
    "UINT64": np.array([[0, 1, 2**64 - 1]], np.uint64),
    "INT8": np.array([[-128, 0, 127]], np.int8),
    "INT16": np.array([[-(2**15), 0, 2**15 - 1]], np.int16),
    "INT32": np.array([[-(2**31), 0, 2**31 - 1]], np.int32),
    "INT64": np.array([[-(2**63), 0, 2**63 - 1]], np.int64),
    "FP16": np.array([[-1.5, 0.0, 65504.0]], np.float16),
    "FP32": np.array([[-1.5, 0.1, 3e38]], np.float32),
    "FP64": np.array([[-1.5, 0.1, 1e300]], np.float64),
    "BF16": np.array([[-1.5, 0.0, 256.0]], DATATYPES["BF16"].dtype),
    "BYTES": np.array([[b"", b"abc", "grün".encode()]], object),
}
"""One row of three values of every datatype."""

EVERY_MODEL = {name: identity(name, None) for name in SAMPLES}


@asynccontextmanager
async def serving_oip(
    root: Path, contents: Mapping[str, Content], **settings: Any
) -> AsyncIterator[Client]:
    """As ``serving_fakes``; every version that is named as such is there."""
    async with serving_fakes(root, contents, **settings) as client:
        versions = [key.split("/") for key in contents if "/" in key]
        if versions:
            client.gateway.manager.watch()
        models = client.gateway.registry.models
        await until(lambda: all(int(v) in models[name].available() for name, v in versions))
        yield client


def attempt(function: Callable[[], T]) -> T | ServingError:
    """What the function returns, or the error of ours that it raises; no other may come."""
    try:
        return function()
    except ServingError as error:
        return error


def json_input(name: str, array: NDArray[Any], datatype: str, **more: Any) -> dict[str, Any]:
    """An input whose values stand in the JSON."""
    flat = array.astype(np.float64) if datatype in ("FP16", "BF16") else array
    data = [one.decode() if isinstance(one, bytes) else one for one in flat.reshape(-1).tolist()]
    shape = list(array.shape)
    return {"name": name, "datatype": datatype, "shape": shape, "data": data, **more}


def binary_request(
    head: dict[str, Any], *tensors: tuple[NDArray[Any], str]
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request whose inputs without ``data`` are ``tensors``."""
    raw = [tensor_bytes(array, DATATYPES[datatype]) for array, datatype in tensors]
    sizes = iter(raw)
    for one in head["inputs"]:
        if "data" not in one:
            one.setdefault("parameters", {})["binary_data_size"] = len(next(sizes))
    text = json.dumps(head).encode()
    return b"".join((text, *raw)), {HEAD_LENGTH: str(len(text))}


async def infer(
    client: Client, model: str, body: Any, headers: Mapping[str, str] | None = None
) -> Answer:
    """``model`` may have ``/versions/N`` behind it; ``body`` is bytes or becomes JSON. No content
    type is sent."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.ask(
        "POST",
        f"/v2/models/{model}/infer",
        data=data,
        headers={"Accept-Encoding": "identity", **(headers or {})},
        skip_auto_headers=["Content-Type"],
    )
