"""``python -m benchmarks.zoo.export FOLDER MODEL...``: SavedModels with questions and answers.

A process of its own, so that the one that makes the load does not hold TensorFlow.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.zoo.catalogue import MODELS, SECOND_SIGNATURE, Model, Question, write_questions
from benchmarks.zoo.graphs import GRAPHS, row_of
from gateway.backends.tensorflow import import_tensorflow
from gateway.demo import ensure_demo_model

SEED = 20261122


def export(tf: Any, model: Model, folder: Path) -> None:
    """Write the version folder and then the questions, answered one by one."""
    random = np.random.default_rng(SEED)
    if model.name in GRAPHS:
        _save(tf, model, folder / model.name / "1", random)
    else:
        ensure_demo_model(folder)
    loaded = tf.saved_model.load(str(folder / model.name / "1"))
    signature = loaded.signatures["serving_default"]
    questions = []
    for number in range(model.questions):
        row = row_of(model.name, number, random)
        answer = signature(**{model.input: tf.constant([row], model.dtype)})[model.output]
        questions.append(Question(row, answer.numpy()[0].tolist()))
    write_questions(model, folder, questions)


def _save(tf: Any, model: Model, version: Path, random: np.random.Generator) -> None:
    shutil.rmtree(version, ignore_errors=True)
    module = tf.Module()
    spec, run = GRAPHS[model.name](tf, module, random)
    named = tf.TensorSpec(spec.shape, spec.dtype, name=model.input)

    def signature(factor: float) -> Any:
        return tf.function(
            lambda x: {model.output: run(x) * factor}, input_signature=[named], autograph=False
        )

    signatures = {"serving_default": signature(1.0), SECOND_SIGNATURE: signature(2.0)}
    tf.saved_model.save(module, str(version), signatures=signatures)


def main(arguments: Sequence[str]) -> None:
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    tf = import_tensorflow()
    for name in arguments[1:]:
        export(tf, MODELS[name], folder)


if __name__ == "__main__":
    main(sys.argv[1:])
