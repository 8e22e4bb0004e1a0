"""Requests with their answers, as observers see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from batching import Inputs, Outputs
from gateway.backends.base import Signature, TensorSpec
from gateway.errors import ServingError
from gateway.exchange import Api, Exchange
from gateway.models.servable import Servable
from tests.gateway.fake_backend import FakeModel, by_name, spec

TEXTS = TensorSpec("text", np.dtype(object), "DT_STRING", (None,))


def signature(
    name: str = "serving_default",
    inputs: Mapping[str, TensorSpec] | None = None,
    outputs: Mapping[str, TensorSpec] | None = None,
) -> Signature:
    return Signature(name, inputs or by_name(spec("x")), outputs or by_name(spec("y")))


def exchange(
    model: str = "m",
    version: int = 3,
    *,
    api: Api = "predict",
    of: Signature | None = None,
    pinned: bool = False,
    inputs: Inputs | None = None,
    outputs: Outputs | None = None,
    error: ServingError | None = None,
    request: bytes = b'{"instances":[1.0]}',
    response: bytes = b'{"predictions":[2.0]}',
) -> Exchange:
    """One that was answered, unless ``error`` is given."""
    default: dict[str, Any] = {"y": np.array([2.0], np.float32)}
    return Exchange(
        api=api,
        servable=Servable(model, version, FakeModel({}), {}),
        signature=of or signature(),
        pinned=pinned,
        inputs=inputs or {"x": np.array([1.0], np.float32)},
        outputs=None if error else outputs or default,
        error=error,
        request_body=request,
        response_body=b"" if error else response,
        seconds=0.25,
    )
