"""Which version a request gets, from what is known of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.config.settings import Settings
from gateway.errors import Code, ServingError
from gateway.models.registry import MAX_ENDED, ModelEntry, Registry
from gateway.models.servable import Servable
from gateway.models.versions import State
from tests.gateway.fake_backend import FakeModel

LOST = ServingError(Code.DATA_LOSS, "it is damaged")


def registry(tmp_path: Path, table: Mapping[str, Any] | None = None) -> Registry:
    tables = {"m": {"base_path": str(tmp_path), **(table or {})}}
    settings = Settings.model_validate({"models": tables})
    return Registry([settings.for_model("m")])


def load(entry: ModelEntry, version: int) -> Servable:
    servable = Servable("m", version, FakeModel({}), {})
    entry.record(version).available(servable)
    entry.refresh()
    return servable


def unload(entry: ModelEntry, version: int) -> None:
    entry.record(version).leaving()
    entry.refresh()


def refused(models: Registry, *request: Any) -> tuple[Code, str]:
    with pytest.raises(ServingError) as caught:
        models.acquire(*request)
    return caught.value.code, caught.value.message


def test_the_latest_is_the_highest(tmp_path: Path) -> None:
    models = registry(tmp_path)
    entry = models.models["m"]
    second = load(entry, 2)
    load(entry, 1)
    assert models.resolve("m") is second
    third = load(entry, 3)
    assert models.resolve("m") is third
    unload(entry, 3)
    assert models.resolve("m") is second


def test_a_version_by_number(tmp_path: Path) -> None:
    models = registry(tmp_path)
    first, second = (load(models.models["m"], version) for version in (1, 2))
    assert [models.resolve("m", 1), models.resolve("m", 2)] == [first, second]
    message = "Servable not found for request: Specific(m, 3)"
    assert refused(models, "m", 3) == (Code.NOT_FOUND, message)


def test_zero_is_a_version(tmp_path: Path) -> None:
    models = registry(tmp_path)
    zero = load(models.models["m"], 0)
    load(models.models["m"], 1)
    assert models.resolve("m", 0) is zero


def test_what_is_on_its_way_is_worth_another_try(tmp_path: Path) -> None:
    models = registry(tmp_path)
    entry = models.models["m"]
    with pytest.raises(ServingError, match=r"Latest\(m\) is being loaded") as caught:
        models.resolve("m")
    assert (caught.value.code, caught.value.retry_after) == (Code.UNAVAILABLE, 1.0)
    record = entry.record(1)
    assert refused(models, "m", 1)[0] is Code.UNAVAILABLE
    record.started()
    assert refused(models, "m")[0] is Code.UNAVAILABLE
    record.failed(LOST)
    assert refused(models, "m")[0] is Code.NOT_FOUND
    assert entry.problem() is LOST
    record.started()
    assert refused(models, "m", 1)[0] is Code.NOT_FOUND, "a retry is no promise"


def test_an_unknown_model(tmp_path: Path) -> None:
    message = "Servable not found for request: Latest(nobody)"
    assert refused(registry(tmp_path), "nobody") == (Code.NOT_FOUND, message)


def test_a_failed_replacement_does_not_hide_what_serves(tmp_path: Path) -> None:
    models = registry(tmp_path)
    entry = models.models["m"]
    servable = load(entry, 1)
    record = entry.record(1)
    record.started()
    assert record.state is State.AVAILABLE
    record.failed(LOST)
    assert (record.state, record.error) == (State.AVAILABLE, LOST)
    assert models.resolve("m") is servable
    successor = load(entry, 1)
    assert models.resolve("m", 1) is successor
    assert record.error is None


def test_hidden_versions_are_no_latest(tmp_path: Path) -> None:
    models = registry(tmp_path, {"shadow": {"version": 3}})
    entry = models.models["m"]
    first, second, third = (load(entry, version) for version in (1, 2, 3))
    assert models.resolve("m") is second
    entry.record(2).rejected = True
    entry.refresh()
    assert models.resolve("m") is first
    assert [models.resolve("m", v) for v in (1, 2, 3)] == [first, second, third]


def test_better_a_hidden_version_than_none(tmp_path: Path) -> None:
    models = registry(tmp_path)
    entry = models.models["m"]
    load(entry, 2)
    entry.record(2).rejected = True
    entry.refresh()
    assert models.resolve("m").version == 2
    reloaded = load(entry, 2)
    assert models.resolve("m") is reloaded
    entry.record(2).rejected = True
    first = load(entry, 1)
    assert models.resolve("m") is first
    unload(entry, 1)
    unload(entry, 2)
    assert not entry.ready


def test_leases_are_counted(tmp_path: Path) -> None:
    models = registry(tmp_path)
    load(models.models["m"], 1)
    servable = models.acquire("m")
    assert "1 leases" in repr(servable)
    models.acquire("m", 1)
    assert "2 leases" in repr(servable)
    servable.release()
    assert "1 leases" in repr(servable)


def test_status(tmp_path: Path) -> None:
    models = registry(tmp_path)
    with pytest.raises(ServingError, match="Could not find any versions of model m"):
        models.status("m")
    for version in (1, 3, 2):
        load(models.models["m"], version)
    assert [record.version for record in models.status("m")] == [3, 2, 1]
    assert [record.version for record in models.status("m", 2)] == [2]
    for request, message in {
        ("m", 4): "Could not find version 4 of model m",
        ("nobody", None): "Could not find any versions of model nobody",
    }.items():
        with pytest.raises(ServingError, match=message) as caught:
            models.status(*request)
        assert caught.value.code is Code.NOT_FOUND


def test_old_ends_are_forgotten_but_for_what_is_wanted(tmp_path: Path) -> None:
    entry = registry(tmp_path).models["m"]
    for version in range(1, MAX_ENDED + 11):
        entry.record(version).failed(LOST)
    load(entry, 100)
    entry.forget_old_ends({1, 100})
    assert sorted(entry.versions) == [1, *range(11, MAX_ENDED + 11), 100]
