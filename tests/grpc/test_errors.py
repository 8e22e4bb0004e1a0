"""Our errors as gRPC statuses."""

from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest

from gateway.errors import Code, ServingError
from gateway.grpc.errors import details_of, retry_pushback, status_of
from tests.gateway.fake_backend import FakeSignature
from tests.grpc.serving import predict_request, serving_grpc


@pytest.mark.parametrize("code", set(Code) - {Code.PAYLOAD_TOO_LARGE})
def test_codes_keep_their_names(code: Code) -> None:
    assert status_of(code).name == code.name


def test_what_is_too_large() -> None:
    assert status_of(Code.PAYLOAD_TOO_LARGE) is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("length", [0, 1023, 1024])
def test_short_details_are_kept(length: int) -> None:
    assert details_of("é" * length) == "é" * length


def test_pushback() -> None:
    assert retry_pushback(ServingError(Code.UNAVAILABLE, "", retry_after=0.25)) == (
        ("grpc-retry-pushback-ms", "250"),
    )
    assert retry_pushback(ServingError(Code.NOT_FOUND, "")) == ()


async def test_a_model_that_is_being_loaded(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, {"m": FakeSignature()}) as client:
        entry = client.gateway.registry.models["m"]
        entry.latest = entry.undivided = None
        entry.versions.clear()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.call("Predict", predict_request("m", x=np.float32([1])))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert caught.value.details() == "Latest(m) is being loaded"
        assert dict(caught.value.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
