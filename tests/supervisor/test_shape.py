"""How many processes a setting makes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.config import Settings
from gateway.supervisor.shape import front_count


@pytest.mark.parametrize(
    ("workers", "cores", "fronts"),
    [
        ("0", 8, 0),
        ("1", 1, 1),
        ("12", 2, 12),
        ("auto", 1, 0),
        ("auto", 2, 0),
        ("auto", 3, 1),
        ("auto", 8, 4),
        ("auto", 64, 8),
    ],
)
def test_fronts(workers: str, cores: int, fronts: int) -> None:
    assert front_count(workers, cores) == fronts


def test_auto_looks_at_this_host() -> None:
    assert front_count("auto") >= 0


@pytest.mark.parametrize(("given", "text"), [(0, "0"), (3, "3"), ("AUTO", "auto"), (" 2 ", "2")])
def test_values(given: object, text: str) -> None:
    assert Settings.model_validate({"workers": given}).workers == text


@pytest.mark.parametrize("given", ["many", "-1", -1, True, 1.5, "", 257])
def test_values_that_are_none(given: object) -> None:
    with pytest.raises(ValidationError, match="workers"):
        Settings.model_validate({"workers": given})
