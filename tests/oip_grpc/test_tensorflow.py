"""SavedModels through Triton's gRPC client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from gateway.backends.base import Backend
from gateway.config.settings import Settings
from tests import saved_models
from tests.gateway.serving import serving
from tests.oip_grpc.serving import given, opened

pytestmark = pytest.mark.tf

VALUES: Mapping[str, NDArray[Any]] = {
    "bool": np.array([[True], [False]]),
    "float16": np.array([[0.1], [-65504]], np.float16),
    "bfloat16": np.array([[1.5], [-2]], ml_dtypes.bfloat16),
    "float32": np.array([[0.1], [np.inf]], np.float32),
    "float64": np.array([[0.1], [1e300]], np.float64),
    **{
        name: np.array([[np.iinfo(name).min], [np.iinfo(name).max]], name)
        for name in saved_models.NUMERIC_DTYPES
        if "int" in name
    },
}


def settings(root: Path, *names: str) -> Settings:
    models = {name: {"base_path": str(root / name)} for name in names}
    return Settings.model_validate(
        {"warmup": False, "file_system_poll_wait_seconds": 0.01, "models": models}
    )


async def test_every_datatype(repository: Callable[..., Path], tensorflow_backend: Backend) -> None:
    root = repository(m=saved_models.every_dtype)
    async with (
        serving(settings(root, "m"), tensorflow_backend) as rest,
        opened(rest) as door,
    ):
        for name, array in VALUES.items():
            parameters = {"signature_name": name}
            result = await door.infer("m", given("x", array), parameters=parameters)
            found = result.as_numpy("y")
            assert found.dtype == array.dtype, name
            assert found.tobytes() == array.tobytes(), name


async def test_what_the_protocol_cannot_carry_is_refused(
    repository: Callable[..., Path], tensorflow_backend: Backend
) -> None:
    root = repository(m=saved_models.every_dtype)
    async with (
        serving(settings(root, "m"), tensorflow_backend) as rest,
        opened(rest) as door,
    ):
        with pytest.raises(InferenceServerException, match="complex64") as caught:
            await door.infer(
                "m", given("x", VALUES["float32"]), parameters={"signature_name": "complex64"}
            )

    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


async def test_strings_and_numbers(
    repository: Callable[..., Path], tensorflow_backend: Backend
) -> None:
    root = repository(several=saved_models.several_inputs_and_outputs)
    async with (
        serving(settings(root, "several"), tensorflow_backend) as rest,
        opened(rest) as door,
    ):
        result = await door.infer(
            "several",
            given("s", np.array([b"a\0b", b""], object)),
            given("a", np.array([0.5, 1], np.float32)),
            given("b", np.array([[1, 2], [3, 4]], np.int64)),
        )

    assert result.as_numpy("total").tolist() == [3.5, 8]
    assert result.as_numpy("doubled").tolist() == [[2, 4], [6, 8]]
    assert result.as_numpy("tag").tolist() == [b"<a\0b>", b"<>"]
