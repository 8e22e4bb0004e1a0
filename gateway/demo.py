"""The built-in model of ``tensorgate demo``: y = x / 2 + 2, the classic of TensorFlow Serving."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

NAME = "half_plus_two"
_VERSION = "1"


def ensure_demo_model(directory: Path) -> tuple[str, Path]:
    """The demo model's name and its base path below ``directory``, where it is made if missing.

    Takes float32 ``x`` of shape [-1], answers ``y``. Only the first call imports TensorFlow.
    A version folder appears whole or not at all, also when several processes make it at once.
    Raises OSError when the folder cannot be written.
    """
    base_path = directory / NAME
    version = base_path / _VERSION
    if not _is_complete(version):
        base_path.mkdir(parents=True, exist_ok=True)
        _export_atomically(version)
    return NAME, base_path


def _export_atomically(version: Path) -> None:
    # Beside its place, for a rename within one file system; hidden from a scan for versions.
    with tempfile.TemporaryDirectory(prefix=".", dir=version.parent) as scratch:
        finished = Path(scratch) / _VERSION
        _export(finished)
        if version.exists() and not _is_complete(version):
            shutil.rmtree(version)
        try:
            finished.rename(version)
        except OSError:
            if not _is_complete(version):  # else another process was quicker
                raise


def _is_complete(version: Path) -> bool:
    return (version / "saved_model.pb").is_file()


def _export(path: Path) -> None:
    from gateway.backends.tensorflow import import_tensorflow
    from gateway.backends.tf_errors import client_message

    tf = import_tensorflow()
    module = tf.Module()
    module.half = tf.Variable(0.5)
    module.two = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")], autograph=False)
    def half_plus_two(x):  # type: ignore[no-untyped-def]
        return {"y": module.half * x + module.two}

    try:
        tf.saved_model.save(module, str(path), signatures=half_plus_two)
    except tf.errors.OpError as error:
        raise OSError(client_message(error.message)) from error
