"""Which models there are, their requests and the right answers. Imports no TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = ROOT / "benchmarks" / "results" / "models"
EXPORT_SECONDS = 300
EXPORT_VERSION = 1
"""Raise it when a graph or a question changes: kept exports of another version are made again."""

SECOND_SIGNATURE = "doubled"
"""Twice the answers; of every model but half_plus_two, for loads that mix signatures."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model with one input and one output, each with rows along axis 0."""

    name: str
    title: str
    input: str
    dtype: str
    """Of the input: float32, int32 or string."""
    output: str
    questions: int = 16
    """How many different requests there are, of one row each."""
    variable_length: bool = False


MODELS = {
    model.name: model
    for model in (
        Model("half_plus_two", "near-free: x / 2 + 2", "x", "float32", "y"),
        Model("mlp", "MLP 64-256-256-10", "x", "float32", "scores"),
        Model("cnn", "CNN on 32x32x3, about 1 ms an item", "image", "float32", "scores"),
        Model("text", "texts to 4 scores", "text", "string", "scores"),
        Model(
            "tokens",
            "1 to 512 token ids to 8 scores, padded with 0",
            "ids",
            "int32",
            "scores",
            questions=64,
            variable_length=True,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Question:
    """One row and what TensorFlow answers it when it is alone."""

    row: Any
    answer: Any


@dataclass(frozen=True, slots=True)
class Exported:
    """A model on disk: ``base_path`` holds the version folder 1."""

    model: Model
    base_path: Path
    questions: tuple[Question, ...]

    @property
    def saved_model(self) -> Path:
        return self.base_path / "1"


def ensure_models(names: Sequence[str], folder: Path = DEFAULT_FOLDER) -> dict[str, Exported]:
    """The named models, exported to ``folder`` unless they are there. Raises CalledProcessError."""
    missing = [name for name in names if not _questions_file(folder, name).is_file()]
    if missing:
        # A process of its own: the one that makes the load must not hold TensorFlow.
        command = (sys.executable, "-m", "benchmarks.zoo.export", str(folder.resolve()), *missing)
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
        subprocess.run(
            command,
            check=True,
            cwd=ROOT,
            env=environment,
            stderr=subprocess.DEVNULL,
            timeout=EXPORT_SECONDS,
        )
    return {name: read_export(MODELS[name], folder) for name in names}


def read_export(model: Model, folder: Path) -> Exported:
    """A model that was exported before. Raises OSError when it was not."""
    listed = json.loads(_questions_file(folder, model.name).read_bytes())
    questions = tuple(Question(row, answer) for row, answer in listed)
    return Exported(model, (folder / model.name).resolve(), questions)


def write_questions(model: Model, folder: Path, questions: Sequence[Question]) -> None:
    """The last step of an export: what has questions is complete."""
    listed = [(question.row, question.answer) for question in questions]
    unfinished = _questions_file(folder, model.name).with_suffix(".part")
    unfinished.write_text(json.dumps(listed))
    unfinished.rename(_questions_file(folder, model.name))


def _questions_file(folder: Path, name: str) -> Path:
    return folder / f"{name}-v{EXPORT_VERSION}.json"
