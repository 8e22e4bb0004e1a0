"""``python -m benchmarks.lifecycle.export FOLDER COUNT MEGABYTES``: versions to tell apart.

A process of its own, so that the one that makes the load does not hold TensorFlow.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCALE = 1000.0


def export_versions(folder: Path, count: int, megabytes: float) -> None:
    """Version folders 1 to ``count``: x float32 [-1] -> first = x + V, second = x + 1000 V, where V
    is the version's number. Each has ``megabytes`` of variables."""
    command = (sys.executable, "-m", "benchmarks.lifecycle.export")
    arguments = (str(folder), str(count), str(megabytes))
    subprocess.run([*command, *arguments], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)


def version_of(x: float, first: float, second: float) -> int | None:
    """The version that gave an answer; None when no single one did."""
    version = round(first - x)
    return version if second == x + SCALE * version and first == x + version else None


def _main(arguments: Sequence[str]) -> None:
    from gateway.backends.tensorflow import import_tensorflow

    folder, count, megabytes = Path(arguments[0]), int(arguments[1]), float(arguments[2])
    tf = import_tensorflow()
    module = tf.Module()
    module.version = tf.Variable(0.0)
    module.ballast = tf.Variable(tf.zeros([max(1, int(megabytes * 2**18))]))

    def answer(x: Any) -> dict[str, Any]:
        nothing = module.ballast[0]
        return {
            "first": x + module.version + nothing,
            "second": x + SCALE * module.version + nothing,
        }

    spec = tf.TensorSpec([None], tf.float32, name="x")
    function = tf.function(answer, input_signature=[spec], autograph=False)
    for version in range(1, count + 1):
        module.version.assign(float(version))
        tf.saved_model.save(module, str(folder / str(version)), signatures=function)


if __name__ == "__main__":
    _main(sys.argv[1:])
