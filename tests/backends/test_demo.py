"""The built-in model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway import demo
from gateway.backends.tensorflow import TensorFlowBackend, import_tensorflow

pytestmark = pytest.mark.tf


def test_it_is_made_once_and_answers_the_classic_example(
    backend: TensorFlowBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "new" / "folder"
    assert demo.ensure_demo_model(directory) == ("half_plus_two", directory / "half_plus_two")
    version = directory / "half_plus_two" / "1"
    assert [path.name for path in version.parent.iterdir()] == ["1"]

    model = backend.load(version, ["cpu:0"])
    signature = model.signatures["serving_default"]
    assert signature.inputs["x"].shape == (None,)
    assert signature.unbatchable == ""
    outputs = model.runner("serving_default", "cpu:0")({"x": np.float32([1, 2, 5])})
    assert {name: value.tolist() for name, value in outputs.items()} == {"y": [2.5, 3, 4.5]}
    model.close()

    monkeypatch.setattr(demo, "_export", pytest.fail)
    assert demo.ensure_demo_model(directory) == ("half_plus_two", directory / "half_plus_two")


def fake_export(path: Path) -> None:
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"mine")


def test_a_half_written_version_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_export", fake_export)
    version = tmp_path / "half_plus_two" / "1"
    (version / "variables").mkdir(parents=True)
    demo.ensure_demo_model(tmp_path)
    assert [path.name for path in version.iterdir()] == ["saved_model.pb"]


def test_a_quicker_process_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = tmp_path / "half_plus_two" / "1"

    def export_and_be_overtaken(path: Path) -> None:
        fake_export(path)
        version.mkdir()
        (version / "saved_model.pb").write_bytes(b"theirs")

    monkeypatch.setattr(demo, "_export", export_and_be_overtaken)
    demo.ensure_demo_model(tmp_path)
    assert (version / "saved_model.pb").read_bytes() == b"theirs"
    assert [path.name for path in version.parent.iterdir()] == ["1"]


def test_a_failed_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        path.mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demo, "_export", fail)
    with pytest.raises(OSError, match="No space left"):
        demo.ensure_demo_model(tmp_path)
    assert list((tmp_path / "half_plus_two").iterdir()) == []


def test_a_full_disk_is_an_oserror(
    backend: TensorFlowBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf = import_tensorflow()

    def fail(*_: object, **__: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "/srv/x/1/variables; No space left")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match=r"^variables; No space left$"):
        demo.ensure_demo_model(tmp_path)
