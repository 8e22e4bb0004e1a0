"""How long a checkpoint's data files must be, from its index alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.checkpoint_index import needed_bytes
from gateway.backends.saved_model_files import missing_files
from gateway.backends.tensorflow import import_tensorflow

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel with variables of many names and sizes, so that its index has several blocks."""
    tf: Any = import_tensorflow()
    path = tmp_path_factory.mktemp("checkpoint") / "1"
    module = tf.Module()
    module.layers = [
        [tf.Variable(tf.zeros([n, 3]), name=f"a_rather_long_name_{n}") for n in range(1, 9)]
        for _ in range(40)
    ]
    tf.saved_model.save(module, str(path))
    return path


@pytest.fixture(scope="module")
def index(folder: Path) -> bytes:
    return (folder / "variables" / "variables.index").read_bytes()


def data_file(folder: Path) -> Path:
    return folder / "variables" / "variables.data-00000-of-00001"


def test_it_is_the_size_of_the_file(folder: Path, index: bytes) -> None:
    assert len(index) > 8192  # two blocks at least
    assert needed_bytes(index) == {0: data_file(folder).stat().st_size}


def test_a_file_that_is_a_byte_short_is_missed(folder: Path) -> None:
    whole = data_file(folder).read_bytes()
    assert missing_files(folder) == ""
    try:
        data_file(folder).write_bytes(whole[:-1])
        name, size = data_file(folder).name, len(whole)
        assert missing_files(folder) == f"variables/{name} has {size - 1} of {size} bytes"
    finally:
        data_file(folder).write_bytes(whole)


@pytest.mark.parametrize("length", [0, 7, 47, 48, 1000])
def test_a_cut_index_is_none(index: bytes, length: int) -> None:
    with pytest.raises(ValueError, match="no table"):
        needed_bytes(index[:length])


@given(st.data())
def test_damage_raises_nothing_else(index: bytes, data: st.DataObject) -> None:
    damaged = bytearray(index)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        sizes = needed_bytes(bytes(damaged))
    except ValueError:
        return
    assert all(isinstance(size, int) for size in sizes.values())
