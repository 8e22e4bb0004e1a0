"""What the tests with Triton's HTTP clients share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
import tritonclient.http as blocking
from tritonclient.utils import InferenceServerException

ARRAY = np.arange(4, dtype=np.int32).reshape(1, 4)

Ask = Callable[..., Awaitable[Any]]
"""Name of a method, its arguments: what the client returns. Raises what it raises."""


def given(
    name: str, array: np.ndarray, datatype: str, *, binary: bool = True
) -> blocking.InferInput:
    tensor = blocking.InferInput(name, list(array.shape), datatype)
    return tensor.set_data_from_numpy(array, binary_data=binary)


def both(*, binary: bool = True) -> list[blocking.InferInput]:
    return [given(name, ARRAY, "INT32", binary=binary) for name in ("a", "b")]


async def refusal(awaitable: Awaitable[Any]) -> tuple[str, str]:
    """Status and message."""
    with pytest.raises(InferenceServerException) as caught:
        await awaitable
    return str(caught.value.status()), str(caught.value.message())
