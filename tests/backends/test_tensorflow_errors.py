"""What real failures of runs look like to a client, by either way into a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.errors import Code, ServingError
from tests import saved_models
from tests.backends.conftest import Load

pytestmark = pytest.mark.tf


def failure(run: Callable[[], Any]) -> ServingError:
    with pytest.raises(ServingError) as caught:
        run()
    return caught.value


@pytest.mark.parametrize(
    ("exporter", "signature", "inputs", "message"),
    [
        (
            saved_models.picky,
            "serving_default",
            {"x": np.float32([4, -1])},
            "assertion failed: [x must be >= 0] [4 -1]",
        ),
        (
            saved_models.strings,
            "number",
            {"text": np.array([b"1", b"abc"], object)},
            "StringToNumberOp could not correctly convert string: abc",
        ),
        (
            saved_models.half_plus_two,
            "serving_default",
            {"x": np.int64([1])},
            'input "x" must be float32, got int64',
        ),
        (
            saved_models.half_plus_two,
            "serving_default",
            {"x": np.array([b"1"], object)},
            'input "x" must be float32, got strings',
        ),
        (
            saved_models.strings,
            "serving_default",
            {"text": np.array([b"1", 2], object)},
            'input "text" must hold only bytes or str, got int',
        ),
        (saved_models.half_plus_two, "serving_default", {}, 'input "x" is missing'),
    ],
)
def test_a_failed_run(
    load: Load,
    exporter: Callable[[Path], None],
    signature: str,
    inputs: dict[str, Any],
    message: str,
) -> None:
    run = load(exporter).runner(signature, "cpu:0")
    error = failure(lambda: run(inputs))
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, message)


def test_shapes_that_do_not_fit_the_model(load: Load) -> None:
    run = load(saved_models.several_inputs_and_outputs).runner("serving_default", "cpu:0")
    text = np.array([b"a", b"b", b"c"], object)
    inputs = {"a": np.zeros(2, np.float32), "b": np.zeros((3, 2), np.int64), "s": text}
    error = failure(lambda: run(inputs))
    assert error.code is Code.INVALID_ARGUMENT
    # The optimiser may swap the operands.
    assert sorted(error.message.removeprefix("Incompatible shapes: ").split(" vs. ")) == [
        "[2]",
        "[3]",
    ]


def test_the_public_way_refuses_undeclared_shapes_by_name(load: Load, any_backend: Any) -> None:
    run = load(saved_models.half_plus_two).runner("serving_default", "cpu:0")
    x = np.float32([[1], [2]])
    if any_backend.use_callables:
        assert run({"x": x})["y"].shape == (2, 1)
    else:
        assert failure(lambda: run({"x": x})).message == (
            'input "x" must have the shape [?], got [2, 1]'
        )
