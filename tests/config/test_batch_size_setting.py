"""The most rows of a batch: a number, or found out while serving."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from batching import BatchPolicy
from gateway.backends.base import Signature, TensorSpec
from gateway.config import Loaded
from gateway.config.fields import AUTO_BATCH_SIZE
from gateway.config.show import as_table
from gateway.models.policies import batch_policy, warmup_sizes

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

MODEL = "[models.m]\nbase_path = '/m'\n"


def spec(name: str, shape: tuple[int | None, ...] | None, dtype: Any = np.float32) -> TensorSpec:
    return TensorSpec(name, np.dtype(dtype), "DT_FLOAT", shape)


def signature(*inputs: TensorSpec) -> Signature:
    return Signature("s", {each.name: each for each in inputs}, {})


SMALL = signature(spec("x", (None, 4)))


def policy(loaded: Loaded, of: Signature = SMALL) -> BatchPolicy:
    return batch_policy(loaded.settings.for_model("m"), of, "")


@pytest.mark.parametrize(
    "given",
    [
        {"toml": MODEL},
        {"toml": MODEL + "max_batch_size = 'auto'"},
        {"toml": "max_batch_size = 8\n" + MODEL + "max_batch_size = 'Auto'"},
        {"toml": MODEL, "flags": {"max_batch_size": "auto"}},
        {"toml": MODEL, "environ": {"GATEWAY_MODEL__M__MAX_BATCH_SIZE": "AUTO"}},
    ],
)
def test_auto_starts_at_32_and_finds_out(configure: Configure, given: dict[str, Any]) -> None:
    loaded = configure(**given)
    assert loaded.settings.for_model("m").max_batch_size == AUTO_BATCH_SIZE
    shown = [line.split()[:2] for line in as_table(loaded).splitlines()]
    assert ["models.m.max_batch_size", '"auto"'] in shown
    found = policy(loaded)
    assert (found.max_batch_size, found.first_batch_size, found.whole_rows) == (512, 32, 32)
    assert found.adaptive
    assert warmup_sizes(loaded.settings.for_model("m"), "") == (1, 32)


def test_a_number_is_kept_to(configure: Configure) -> None:
    found = policy(configure(toml=MODEL + "max_batch_size = 32"))
    assert (found.max_batch_size, found.first_batch_size, found.adaptive) == (32, None, True)


def test_from_auto_to_the_number_it_starts_at_is_a_change() -> None:
    assert AUTO_BATCH_SIZE != 32
    assert AUTO_BATCH_SIZE == AUTO_BATCH_SIZE
    assert int(AUTO_BATCH_SIZE) == 32


def test_without_adapting_auto_is_its_first_size(configure: Configure) -> None:
    found = policy(configure(toml=MODEL + "adaptive_batching = false"))
    assert (found.max_batch_size, found.first_batch_size, found.adaptive) == (32, None, False)


@pytest.mark.parametrize(
    ("of", "most"),
    [
        pytest.param(signature(spec("image", (None, 224, 224, 3))), 111, id="images"),
        pytest.param(signature(spec("image", (None, 2048, 2048, 3))), 32, id="never-below-32"),
        pytest.param(signature(spec("a", (None, 2**16)), spec("b", (None, 2**16))), 128, id="sum"),
        pytest.param(signature(spec("ids", (None, None), np.int32)), 512, id="undeclared"),
        pytest.param(signature(spec("any", None)), 512, id="unknown-rank"),
        pytest.param(signature(), 512, id="no-inputs"),
    ],
)
def test_the_memory_of_a_batch_is_bounded(configure: Configure, of: Signature, most: int) -> None:
    assert policy(configure(toml=MODEL), of).max_batch_size == most


def test_a_batch_fits_the_queue(configure: Configure) -> None:
    assert policy(configure(toml=MODEL + "max_queue_rows = 40")).max_batch_size == 40


def test_allowed_sizes_are_kept_to(configure: Configure) -> None:
    found = policy(configure(toml=MODEL + "allowed_batch_sizes = [8, 32]"))
    assert (found.max_batch_size, found.first_batch_size) == (32, None)
    assert found.allowed_batch_sizes == (8, 32)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("0", "must be at least 1, not 0"),
        ("'most'", 'must be a whole number, not "most"'),
        ("true", "must be a whole number, not true"),
    ],
)
def test_what_is_no_size_is_refused(refuse: Refuse, value: str, problem: str) -> None:
    assert refuse(toml=MODEL + f"max_batch_size = {value}") == (
        f"models.m.max_batch_size {problem} (tensorgate.toml)"
    )
