"""SavedModels through Triton's HTTP client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http.aio as triton
from tritonclient.utils import np_to_triton_dtype

from gateway.backends.base import Backend
from gateway.config.settings import Settings
from tests import saved_models
from tests.gateway.serving import serving
from tests.oip.models import SAMPLES

pytestmark = pytest.mark.tf

Repository = Callable[..., Path]


@asynccontextmanager
async def client_of(
    root: Path, name: str, backend: Backend
) -> AsyncIterator[triton.InferenceServerClient]:
    model = {"base_path": str(root / name)}
    quick = {"warmup": False, "file_system_poll_wait_seconds": 0.01}
    settings = Settings.model_validate({**quick, "models": {name: model}})
    async with (
        serving(settings, backend) as rest,
        triton.InferenceServerClient(f"127.0.0.1:{rest.port}") as client,
    ):
        yield client


def given(name: str, array: np.ndarray, *, binary: bool = True) -> triton.InferInput:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array, binary_data=binary)


@pytest.mark.parametrize("binary", [True, False])
async def test_every_datatype(
    repository: Repository, tensorflow_backend: Backend, binary: bool
) -> None:
    root = repository(m=saved_models.every_dtype)
    wanted = [triton.InferRequestedOutput("y", binary_data=binary)]
    async with client_of(root, "m", tensorflow_backend) as client:
        for datatype, sample in SAMPLES.items():
            array = sample.reshape(3, 1)
            name = array.dtype.name
            if datatype == "BYTES" or (datatype == "BF16" and not binary):
                continue
            result = await client.infer(
                "m",
                [given("x", array, binary=binary)],
                outputs=wanted,
                parameters={"signature_name": name},
            )
            found = result.as_numpy("y")
            assert (found.dtype, found.tobytes()) == (array.dtype, array.tobytes()), name


async def test_strings_and_numbers(repository: Repository, tensorflow_backend: Backend) -> None:
    root = repository(several=saved_models.several_inputs_and_outputs)
    async with client_of(root, "several", tensorflow_backend) as client:
        result = await client.infer(
            "several",
            [
                given("s", np.array([b"a\0b", b""], object)),
                given("a", np.array([0.5, 1], np.float32), binary=False),
                given("b", np.array([[1, 2], [3, 4]], np.int64)),
            ],
        )
        assert result.as_numpy("total").tolist() == [3.5, 8]
        assert result.as_numpy("doubled").tolist() == [[2, 4], [6, 8]]
        assert result.as_numpy("tag").tolist() == [b"<a\0b>", b"<>"]
