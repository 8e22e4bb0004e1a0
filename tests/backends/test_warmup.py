"""Invented inputs and what is found out with them; models are numpy functions. No TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import RunFunction, Signature, Tensors, TensorSpec
from gateway.errors import ServingError, invalid_argument
from gateway.models.warmup import probe_batch_independence, synthetic_inputs, warm_up

Shape = tuple[int | None, ...] | None
Arrays = dict[str, np.ndarray[Any, Any]]


def signature(
    inputs: dict[str, tuple[Any, Shape]] | None = None, *, stateful: bool = False
) -> Signature:
    """By default x, float32 [-1, 3]."""
    declared = {"x": (np.float32, (None, 3))} if inputs is None else inputs
    specs = {
        name: TensorSpec(name, np.dtype(dtype), "DT", shape)
        for name, (dtype, shape) in declared.items()
    }
    return Signature("s", specs, {}, stateful=stateful)


class Model:
    """Counts the runs of a function and remembers their shapes."""

    def __init__(self, function: Callable[[Tensors], Arrays]) -> None:
        self._function = function
        self.shapes: list[dict[str, tuple[int, ...]]] = []

    def __call__(self, inputs: Tensors) -> Arrays:
        self.shapes.append({name: value.shape for name, value in inputs.items()})
        return self._function(inputs)


def refuse(_: Tensors) -> Arrays:
    raise invalid_argument("no")


def test_synthetic_inputs_are_zeros_and_empty_strings() -> None:
    made = synthetic_inputs(
        signature(
            {
                "a": (np.int32, (None, None, 4)),
                "b": (object, (None,)),
                "c": (np.float32, None),
                "d": (np.float64, ()),
                "e": (np.bool_, (2, None)),
            }
        ),
        3,
        length=5,
    )
    assert {name: value.shape for name, value in made.items()} == {
        "a": (3, 5, 4),
        "b": (3,),
        "c": (3,),
        "d": (),
        "e": (2, 5),
    }
    assert made["a"].dtype == np.int32
    assert made["b"].tolist() == [b"", b"", b""]
    assert not any(value.any() for value in made.values())


def test_warm_up_runs_each_size_once() -> None:
    model = Model(lambda inputs: {"y": inputs["x"]})
    report = warm_up(model, signature(), (1, 8))
    assert [shapes["x"] for shapes in model.shapes] == [(1, 3), (8, 3)]
    assert (report.runs, report.failures) == (2, [])
    assert report.seconds > 0


def test_warm_up_looks_for_a_length_once() -> None:
    def needs_eight(inputs: Tensors) -> Arrays:
        return {"y": inputs["x"]} if inputs["x"].shape[1] >= 8 else refuse(inputs)

    model = Model(needs_eight)
    report = warm_up(model, signature({"x": (np.float32, (None, None))}), (1, 4))
    assert [shapes["x"] for shapes in model.shapes] == [(1, 1), (1, 8), (4, 8)]
    assert (report.runs, report.failures) == (3, [])


def test_warm_up_reports_failures_of_any_kind() -> None:
    def fails(inputs: Tensors) -> Arrays:
        return refuse(inputs) if len(inputs["x"]) == 1 else {"y": inputs["missing"]}

    report = warm_up(fails, signature(), (1, 2))
    assert report.failures == ["batch size 1: no", "batch size 2: KeyError"]


def test_stateful_signatures_are_not_touched() -> None:
    model = Model(refuse)
    assert warm_up(model, signature(stateful=True), (1,)).runs == 0
    assert probe_batch_independence(model, signature(stateful=True)) == ""
    assert model.shapes == []


def noise(inputs: Tensors) -> Arrays:
    """What another kernel for another shape may do to the last bits."""
    x = inputs["x"].astype(np.float32)
    return {"y": x * np.float32(1 + 1e-6 * len(x))}


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (lambda i: {"y": i["x"] / 2 + 2, "total": i["x"].sum(axis=1)}, np.float32),
        (noise, np.float32),
        (lambda i: {"y": np.sqrt(i["x"] - 1)}, np.float32),
        (lambda i: {"y": i["x"].astype(np.float16)}, np.float32),
        (lambda i: {"y": i["x"] * 2}, np.complex64),
        (lambda i: {"y": i["x"] + 1}, np.int64),
        (lambda i: {"y": ~i["x"]}, np.bool_),
        (lambda i: {"y": i["x"] + b"!"}, object),
    ],
    ids=["rows", "noise", "nan", "half", "complex", "integers", "bools", "strings"],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
def test_independent_rows_may_share_a_run(function: RunFunction, dtype: Any) -> None:
    model = Model(function)
    assert probe_batch_independence(model, signature({"x": (dtype, (None, 3))})) == ""
    assert [shapes["x"] for shapes in model.shapes] == [(1, 3), (1, 3), (2, 3)]


def clipped_80_db_below_the_batch(inputs: Tensors) -> Arrays:
    decibels = 20 * np.log10(np.maximum(inputs["x"], 1e-10))
    return {"mel": np.maximum(decibels, decibels.max() - 80)}


def sorted_by_value(inputs: Tensors) -> Arrays:
    return {"y": np.sort(inputs["x"], axis=0)[::-1]}


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (lambda i: {"y": i["x"] - i["x"].max()}, np.float32),
        (lambda i: {"y": i["x"] / i["x"].sum()}, np.float64),
        (lambda i: {"y": i["x"] - i["x"].mean(axis=0)}, np.float32),
        (clipped_80_db_below_the_batch, np.float32),
        (sorted_by_value, np.float32),
        (lambda i: {"y": i["x"] + i["x"].sum()}, np.int32),
        (lambda i: {"y": i["x"] + max(i["x"].flat, key=len)}, object),
        (lambda i: {"y": np.ones((len(i["x"]), len(i["x"])))}, np.float32),
    ],
    ids=["max", "softmax", "mean", "melspec", "sort", "integers", "strings", "shape"],
)
def test_rows_that_depend_on_each_other_are_found(function: RunFunction, dtype: Any) -> None:
    reason = probe_batch_independence(function, signature({"x": (dtype, (None, 3))}))
    assert reason.endswith("of a row depends on the rows beside it")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda i: {"y": i["x"].sum()}, 'output "y" is a scalar'),
        (lambda i: {"y": i["x"][:1]}, 'output "y" has 1 rows for 2'),
        (lambda i: {"y": i["x"].reshape(-1)}, 'output "y" has 3 rows for 1'),
        (
            lambda i: {"y": i["x"]} if len(i["x"]) == 1 else refuse(i),
            "two rows that run alone fail together: no",
        ),
    ],
)
def test_outputs_without_a_row_for_each_row_are_found(
    function: Callable[[Tensors], Any], reason: str
) -> None:
    def run(inputs: Tensors) -> Arrays:
        return {name: np.asarray(value) for name, value in function(inputs).items()}

    assert probe_batch_independence(run, signature()) == reason


def test_an_answer_that_is_never_the_same_tells_nothing() -> None:
    random = np.random.default_rng(1)
    model = Model(lambda inputs: {"y": random.random(inputs["x"].shape)})
    assert probe_batch_independence(model, signature()) == ""
    assert len(model.shapes) == 4


@pytest.mark.parametrize("shape", [(), (1,), (2, None)])
def test_inputs_that_take_one_size_only_are_not_probed(shape: Shape) -> None:
    model = Model(refuse)
    assert probe_batch_independence(model, signature({"x": (np.float32, shape)})) == ""
    assert probe_batch_independence(model, signature({})) == ""
    assert model.shapes == []


def test_a_model_that_refuses_everything_is_given_up_on() -> None:
    model = Model(refuse)
    assert probe_batch_independence(model, signature()) == ""
    assert len(model.shapes) == 3


def test_lengths_are_tried_until_there_is_an_answer_to_compare() -> None:
    def frames(inputs: Tensors) -> Arrays:
        """Refuses 8 samples; has no frame for 64."""
        x = inputs["x"]
        if x.shape[1] < 10:
            return refuse(inputs)
        return {"y": x[:, ::100][:, 1:] - x.max()}

    model = Model(frames)
    reason = probe_batch_independence(model, signature({"x": (np.float32, (None, None))}))
    assert reason == 'output "y" of a row depends on the rows beside it'
    assert [shapes["x"][1] for shapes in model.shapes] == [8, 64, 1024, 1024, 1024, 1024]


def test_a_model_that_refuses_large_values_is_probed_with_ordinary_ones() -> None:
    def small_only(inputs: Tensors) -> Arrays:
        x = inputs["x"]
        return {"y": x - x.max()} if x.max() <= 1 else refuse(inputs)

    assert "depends on the rows beside it" in probe_batch_independence(small_only, signature())


def test_zero_may_not_be_a_length() -> None:
    def at_length(inputs: Tensors) -> Arrays:
        if not inputs["lengths"].all():
            return refuse(inputs)
        return {"y": inputs["x"][:, 0] * inputs["x"].max()}

    declared = {"x": (np.float32, (None, None)), "lengths": (np.int32, (None,))}
    assert "depends on the rows beside it" in probe_batch_independence(
        at_length, signature(declared)
    )


def test_texts_that_are_numbers_are_tried() -> None:
    def numbers(inputs: Tensors) -> Arrays:
        try:
            values = np.array([float(text) for text in inputs["x"]])
        except ValueError as error:
            raise ServingError(invalid_argument("").code, "no number") from error
        return {"y": values - values.max()}

    reason = probe_batch_independence(numbers, signature({"x": (object, (None,))}))
    assert "depends on the rows beside it" in reason
