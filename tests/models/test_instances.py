"""Devices by instance group."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.triton.model import InstanceGroup
from gateway.errors import ServingError
from gateway.models.instances import instance_devices

CPUS = tuple(f"cpu:{i}" for i in range(4))
GPUS = ("gpu:0", "gpu:1")


def test_without_groups_all() -> None:
    assert instance_devices((), GPUS + CPUS, "m") == GPUS + CPUS


@given(st.integers(1, 6), st.text(min_size=1))
def test_as_many_cpus_as_runs_at_once(count: int, model: str) -> None:
    chosen = instance_devices([InstanceGroup("cpu", count)], GPUS + CPUS, model)
    assert len(chosen) == min(count, len(CPUS))
    assert set(chosen) <= set(CPUS)
    assert chosen == instance_devices([InstanceGroup("cpu", count)], GPUS + CPUS, model)


def test_models_spread_over_the_cpus() -> None:
    names = [f"model-{i}" for i in range(64)]
    chosen = {instance_devices([InstanceGroup("cpu")], CPUS, name) for name in names}
    assert chosen == {(cpu,) for cpu in CPUS}


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (InstanceGroup("gpu"), GPUS),
        (InstanceGroup("gpu", 3), GPUS),
        (InstanceGroup("gpu", gpus=(1,)), ("gpu:1",)),
        (InstanceGroup("auto"), GPUS),
        (InstanceGroup("auto", gpus=(0,)), ("gpu:0",)),
    ],
)
def test_gpus(group: InstanceGroup, expected: tuple[str, ...]) -> None:
    assert instance_devices([group], GPUS + CPUS, "m") == expected


def test_without_a_gpu_auto_is_a_cpu() -> None:
    assert len(instance_devices([InstanceGroup("auto")], CPUS, "m")) == 1


def test_groups_add_up() -> None:
    groups = [InstanceGroup("cpu", 9), InstanceGroup("gpu", gpus=(1,))]
    assert instance_devices(groups, GPUS + CPUS, "m") == ("gpu:1", *CPUS)


@pytest.mark.parametrize(
    ("group", "devices", "complaint"),
    [
        (InstanceGroup("gpu"), CPUS, "asks for a GPU; the model's devices of that kind are none"),
        (InstanceGroup("gpu", gpus=(0, 7)), GPUS, "asks for gpu:7; .* are gpu:0, gpu:1"),
        (InstanceGroup("cpu"), GPUS, "asks for a CPU"),
    ],
)
def test_devices_that_are_not_there(
    group: InstanceGroup, devices: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(ServingError, match=complaint):
        instance_devices([group], devices, "m")
