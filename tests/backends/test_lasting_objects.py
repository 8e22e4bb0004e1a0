"""Objects that are kept from the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gateway.backends.lasting_objects import lasting_objects


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    yield
    gc.enable()


def test_what_is_made_is_not_looked_at_again() -> None:
    with lasting_objects():
        assert not gc.isenabled()
        lasting: list[object] = [[]]
    later: list[object] = [[]]
    found = {id(one) for one in gc.get_objects()}
    assert gc.isenabled()
    assert id(lasting) not in found
    assert id(later) in found


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with lasting_objects():
        pass
    assert not gc.isenabled()


def test_the_collector_is_on_again_after_a_failure() -> None:
    with pytest.raises(ImportError), lasting_objects():
        raise ImportError
    assert gc.isenabled()
