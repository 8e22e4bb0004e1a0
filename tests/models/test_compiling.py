"""Which shapes are compiled ahead, and how often each is run. No TensorFlow."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Signature, Tensors, TensorSpec
from gateway.config import Settings
from gateway.config.settings import ResolvedModel
from gateway.errors import Code, ServingError, invalid_argument
from gateway.models.compiling import (
    MOST_SHAPES,
    compile_ahead,
    shapes_to_compile,
    with_batch_sizes,
)
from gateway.models.loader import LoadOptions, load_version
from tests.gateway.fake_backend import FakeBackend, FakeSignature, Outputs, by_name, spec

Shape = tuple[int | None, ...] | None

VARIABLE = by_name(spec("x", "float32", None))


def model(**settings: Any) -> ResolvedModel:
    table = {"m": {"base_path": "/m", "xla": True, **settings}}
    return Settings.model_validate({"models": table}).for_model("m")


def signature(**inputs: tuple[Any, Shape]) -> Signature:
    specs = {
        name: TensorSpec(name, np.dtype(dtype), "DT", shape)
        for name, (dtype, shape) in inputs.items()
    }
    return Signature("s", specs, {})


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(1, (1,)), (2, (1, 2)), (32, (1, 2, 4, 8, 16, 32)), (33, (1, 2, 4, 8, 16, 32, 33))],
)
def test_sizes_are_powers_of_two(
    most: int, sizes: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert with_batch_sizes(model(max_batch_size=most)).allowed_batch_sizes == sizes
    assert [record.allowed_batch_sizes for record in caplog.records] == [list(sizes)]


def test_sizes_that_are_given_are_kept() -> None:
    settings = model(max_batch_size=9, allowed_batch_sizes=(3, 9))
    assert with_batch_sizes(settings) is settings


def test_declared_shapes_are_compiled_for_each_size() -> None:
    found = shapes_to_compile(
        model(max_batch_size=8, allowed_batch_sizes=(2, 8)),
        signature(a=("f4", (None, 3)), b=("i4", (None,)), fixed=("f4", (1, 2)), scalar=("f4", ())),
    )
    same = {"fixed": (1, 2), "scalar": ()}
    assert found == [{"a": (2, 3), "b": (2,), **same}, {"a": (8, 3), "b": (8,), **same}]


def test_a_mask_is_as_long_as_its_input() -> None:
    padding = {"ids": {"axes": (1,), "buckets": (4, 6), "mask_input": "mask"}}
    found = shapes_to_compile(
        model(max_batch_size=2, allowed_batch_sizes=(1, 2), padding=padding),
        signature(ids=("i4", (None, None)), mask=("i4", (None, None))),
    )
    sizes = [(1, 4), (2, 4), (1, 6), (2, 6)]
    assert found == [{"ids": size, "mask": size} for size in sizes]


def test_inputs_with_the_same_buckets_are_equally_long() -> None:
    rule = {"axes": (1,), "buckets": (4, 6)}
    found = shapes_to_compile(
        model(max_batch_size=1, allowed_batch_sizes=(1,), padding={"ids": rule, "kinds": rule}),
        signature(ids=("i4", (None, None)), kinds=("i4", (None, None))),
    )
    assert found == [{"ids": size, "kinds": size} for size in [(1, 4), (1, 6)]]


def test_axes_of_one_input_vary_by_themselves() -> None:
    padding = {"image": {"axes": (1, 2), "buckets": (4, 6)}}
    found = shapes_to_compile(
        model(max_batch_size=1, allowed_batch_sizes=(1,), padding=padding),
        signature(image=("f4", (None, None, None, 3))),
    )
    sizes = [(4, 4), (4, 6), (6, 4), (6, 6)]
    assert [shapes["image"] for shapes in found] == [(1, *size, 3) for size in sizes]


@pytest.mark.parametrize(
    ("settings", "shape", "fault"),
    [
        ({}, (None, None), 'input "x" of signature "s" may have any size on axis 1; '),
        ({}, (None, None), "give padding.x.buckets for it"),
        ({"padding": {"x": {"axes": (1,)}}}, (None, None), "any size on axis 1"),
        ({"padding": {"x": {"axes": (1,), "buckets": (8,)}}}, (None, None, None), "on axis 2"),
        ({"pad_variable_length_inputs": True}, (None, None), "any size on axis 1"),
        ({}, None, 'input "x" of signature "s" may have any shape'),
        (
            {"padding": {"x": {"axes": (1,), "buckets": tuple(range(1, 12))}}},
            (None, None),
            f"for 66 shapes, more than {MOST_SHAPES}",
        ),
    ],
)
def test_shapes_that_are_not_known_ahead_are_refused(
    settings: dict[str, Any], shape: Shape, fault: str
) -> None:
    with pytest.raises(ServingError) as caught:
        shapes_to_compile(with_batch_sizes(model(**settings)), signature(x=("f4", shape)))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert fault in caught.value.message


class Runs:
    """Remembers the shapes of x that it ran; refuses ``refused`` values."""

    def __init__(self, *refused: float) -> None:
        self.refused = refused
        self.values: list[Any] = []
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, inputs: Tensors) -> Outputs:
        self.values.append(inputs["x"].flat[0])
        self.shapes.append(inputs["x"].shape)
        if self.values[-1] in self.refused:
            raise invalid_argument("no")
        return {}


NUMBERS = signature(x=("f4", (None,)))


def test_a_shape_runs_until_it_is_compiled_and_once_more() -> None:
    run = Runs()
    report = compile_ahead(run, NUMBERS, [{"x": (1,)}, {"x": (4,)}])
    assert run.shapes == [(1,)] * 3 + [(4,)] * 3
    assert (report.shapes, report.failures) == (2, [])
    assert report.seconds > 0


def test_zeros_are_tried_after_ones() -> None:
    run = Runs(1)
    assert compile_ahead(run, NUMBERS, [{"x": (2,)}]).failures == []
    assert run.values == [1, 0, 0, 0]


def test_a_shape_that_is_refused_is_told() -> None:
    run = Runs(1, 0)
    report = compile_ahead(run, NUMBERS, [{"x": (2,)}, {"x": (3,)}])
    assert (report.shapes, report.failures) == (0, ["x [2]: no", "x [3]: no"])


def test_strings_are_empty() -> None:
    run = Runs()
    compile_ahead(run, signature(x=(object, (None,))), [{"x": (1,)}])
    assert run.values == [b""] * 3


def test_many_shapes_are_earned_by_runs_of_the_cheapest() -> None:
    """TensorFlow gives up on what it compiled more than 10 times and ran less than 50 times for
    each (device_compilation_profiler.cc); the probe may have compiled two more."""
    run = Runs()
    shapes = [{"x": (rows,)} for rows in range(1, 21)]
    assert compile_ahead(run, NUMBERS, shapes).shapes == 20
    for number, shape in enumerate(shapes, start=1):
        before = run.shapes.index(shape["x"])
        assert number + 2 <= 10 or before >= 50 * (number + 2)
    assert set(run.shapes[3 * 8 : run.shapes.index((9,))]) == {(1,)}


def load(fake: FakeSignature, tmp_path: Path, **settings: Any) -> dict[str, str]:
    backend = FakeBackend({"m": fake})
    path = tmp_path / "m" / "1"
    loaded = load_version(backend, path, model(**settings), ("cpu:0", "cpu:1"), LoadOptions())
    return {
        "sizes": str(list(loaded.settings.allowed_batch_sizes)),
        "alone": loaded.alone_because["serving_default"],
    }


def test_a_version_is_compiled_as_it_loads(tmp_path: Path) -> None:
    fake = FakeSignature()
    assert load(fake, tmp_path, max_batch_size=4, warmup=False) == {
        "sizes": "[1, 2, 4]",
        "alone": "",
    }
    assert fake.sizes == [1, 1, 1, 2, 2, 2, 4, 4, 4]
    assert set(fake.devices) == {"cpu:0"}


def test_a_version_whose_shapes_are_unknown_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match=r"padding\.x\.buckets"):
        load(FakeSignature(inputs=VARIABLE), tmp_path)


def test_unbatched_requests_are_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake = FakeSignature(inputs=VARIABLE, unbatchable="rows are mixed")
    load(fake, tmp_path)
    assert fake.sizes == [1]
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "compiles while the model serves" in warning.getMessage()
    assert warning.reason == "rows are mixed"
