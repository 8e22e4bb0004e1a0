"""The run function around a call that only looks like a framework's. No TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Signature, TensorSpec
from gateway.backends.run_function import Wiring, build_run
from gateway.errors import Code, ServingError

F32 = np.dtype(np.float32)
STRING = np.dtype(object)


def signature(
    inputs: dict[str, np.dtype[Any]],
    outputs: dict[str, np.dtype[Any]],
    defaults: dict[str, Any] | None = None,
) -> Signature:
    def specs(dtypes: dict[str, np.dtype[Any]]) -> dict[str, TensorSpec]:
        return {name: TensorSpec(name, dtype, "DT", (None,)) for name, dtype in dtypes.items()}

    return Signature("s", specs(inputs), specs(outputs), defaults=defaults or {})


class GraphCall:
    """Remembers what it was fed; returns what it was given."""

    def __init__(self, *values: Any) -> None:
        self.values = values
        self.fed: list[tuple[Any, ...]] = []

    def __call__(self, arrays: tuple[Any, ...]) -> Sequence[Any]:
        self.fed.append(arrays)
        if isinstance(self.values[0], Exception):
            raise self.values[0]
        return self.values


ONE, TWO = np.float32([1]), np.float32([2])
X_TO_Y = Wiring.of({"x": "x:0"}, {"y": "y:0"})


def test_arrays_go_in_by_feed_and_come_out_by_alias() -> None:
    wiring = Wiring.of({"a": "p:0", "b": "q:0"}, {"sum": "s:0", "same": "s:0", "other": "o:0"})
    call = GraphCall(ONE, TWO)
    shape = signature({"a": F32, "b": F32}, {"sum": F32, "same": F32, "other": F32})
    outputs = build_run(shape, wiring, call, copy_outputs=False)({"b": TWO, "a": ONE})
    assert wiring.fetched_tensors == ("s:0", "o:0")
    assert call.fed == [(ONE, TWO)]
    assert outputs == {"sum": ONE, "same": ONE, "other": TWO}


def test_inputs_that_the_signature_lacks_are_ignored() -> None:
    call = GraphCall(ONE)
    run = build_run(signature({"x": F32}, {"y": F32}), X_TO_Y, call, copy_outputs=False)
    assert run({"x": TWO, "more": ONE}) == {"y": ONE}
    assert call.fed == [(TWO,)]


@pytest.mark.parametrize(
    ("value", "dtype"), [(np.float32(2.5), F32), (b"abc", STRING), (b"", STRING)]
)
def test_scalars_become_arrays_of_rank_zero(value: Any, dtype: np.dtype[Any]) -> None:
    shape = signature({"x": F32}, {"y": dtype})
    output = build_run(shape, X_TO_Y, GraphCall(value), copy_outputs=False)({"x": ONE})["y"]
    assert (type(output), output.shape, output.dtype) == (np.ndarray, (), dtype)
    assert output.item() == value


def test_copied_outputs_do_not_change_with_the_model() -> None:
    variable = np.float32([1])
    shape = signature({"x": F32}, {"y": F32})
    output = build_run(shape, X_TO_Y, GraphCall(variable), copy_outputs=True)({"x": ONE})["y"]
    variable += 1
    assert output == ONE


def test_a_tensor_that_is_fed_and_fetched_is_handed_through() -> None:
    wiring = Wiring.of({"x": "x:0"}, {"x": "x:0", "y": "y:0"})
    run = build_run(
        signature({"x": F32}, {"x": F32, "y": F32}), wiring, GraphCall(TWO), copy_outputs=False
    )
    assert wiring.fetched_tensors == ("y:0",)
    assert run({"x": ONE}) == {"x": ONE, "y": TWO}


def test_nothing_is_called_when_nothing_is_computed() -> None:
    call = GraphCall(TypeError("not to be called"))
    wiring = Wiring.of({"x": "x:0"}, {"same": "x:0"})
    run = build_run(signature({"x": F32}, {"same": F32}), wiring, call, copy_outputs=False)
    assert run({"x": ONE}) == {"same": ONE}
    with pytest.raises(ServingError, match='input "x" is missing'):
        run({})


def test_two_aliases_of_one_tensor_are_fed_once() -> None:
    call = GraphCall(ONE)
    wiring = Wiring.of({"a": "x:0", "b": "x:0"}, {"y": "y:0"})
    run = build_run(signature({"a": F32, "b": F32}, {"y": F32}), wiring, call, copy_outputs=False)
    run({"a": TWO, "b": TWO.copy()})
    assert call.fed == [(TWO,)]
    with pytest.raises(ServingError, match='"a" and "b" are the same tensor') as caught:
        run({"a": ONE, "b": TWO})
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_defaults_fill_in_for_inputs_that_are_left_out() -> None:
    call = GraphCall(ONE)
    shape = signature({"x": F32}, {"y": F32}, defaults={"x": TWO})
    run = build_run(shape, X_TO_Y, call, copy_outputs=False)
    run({})
    run({"x": ONE})
    assert call.fed == [(TWO,), (ONE,)]


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        (F32, None, 'input "x" is missing'),
        (F32, np.int64([1]), 'input "x" must be float32, got int64'),
        (STRING, np.int64([1]), 'input "x" must be strings, got int64'),
        (STRING, np.array([b"a", 3], object), 'input "x" must hold only bytes or str, got int'),
    ],
)
def test_a_mistake_in_the_inputs_is_named(dtype: np.dtype[Any], value: Any, message: str) -> None:
    call = GraphCall(TypeError("Type mismatch at /srv/x"))
    run = build_run(signature({"x": dtype}, {"y": F32}), X_TO_Y, call, copy_outputs=False)
    with pytest.raises(ServingError) as caught:
        run({} if value is None else {"x": value})
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


@pytest.mark.parametrize("value", [np.array(["é"]), np.array([b"a"]), np.array(["a"], object)])
def test_text_is_no_mistake_in_any_of_numpys_forms(value: Any) -> None:
    call = GraphCall(RuntimeError("of another kind"))
    run = build_run(signature({"x": STRING}, {"y": F32}), X_TO_Y, call, copy_outputs=False)
    with pytest.raises(ServingError) as caught:
        run({"x": value})
    assert caught.value.code is Code.INTERNAL


def test_the_cause_is_kept_for_the_log() -> None:
    cause = RuntimeError("boom")
    run = build_run(signature({"x": F32}, {"y": F32}), X_TO_Y, GraphCall(cause), copy_outputs=False)
    with pytest.raises(ServingError) as caught:
        run({"x": ONE})
    assert caught.value.__cause__ is cause


class Refused(Exception):
    """Looks like TensorFlow's error for something that an op does not take."""

    error_code = Code.INVALID_ARGUMENT.grpc_code
    message = "Matrix size-incompatible"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (
            np.zeros((1, 4), np.float32),
            'input "x" should have the shape [?, 5], got [1, 4]: Matrix size-incompatible',
        ),
        (
            np.zeros(1, np.float32),
            'input "x" should have the shape [?, 5], got [1]: Matrix size-incompatible',
        ),
        (np.zeros((1, 5), np.float32), "Matrix size-incompatible"),
    ],
)
def test_a_failure_tells_the_shape_that_was_declared(value: Any, told: str) -> None:
    x = TensorSpec("x", F32, "DT_FLOAT", (None, 5))
    shape = Signature("s", {"x": x}, {"y": TensorSpec("y", F32, "DT_FLOAT", None)})
    run = build_run(shape, X_TO_Y, GraphCall(Refused()), copy_outputs=False)
    with pytest.raises(ServingError) as caught:
        run({"x": value})
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, told)
