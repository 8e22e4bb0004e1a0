"""The models that benchmarks serve are what they are named for, and the same every time."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from benchmarks.peers.wires import compact
from benchmarks.zoo.catalogue import MODELS, Exported, ensure_models


def test_every_question_has_an_answer_of_its_own(zoo: dict[str, Exported]) -> None:
    for name, exported in zoo.items():
        assert exported.saved_model.is_dir()
        assert len(exported.questions) == MODELS[name].questions
        answers = {compact(question.answer) for question in exported.questions}
        assert len(answers) == len(exported.questions), name


def test_the_sizes_are_those_that_figures_are_quoted_for(zoo: dict[str, Exported]) -> None:
    assert len(zoo["mlp"].questions[0].row) == 64
    image = zoo["cnn"].questions[0].row
    assert (len(image), len(image[0]), len(image[0][0])) == (32, 32, 3)
    assert 18_000 < len(compact(image)) < 22_000
    lengths = [len(question.row) for question in zoo["tokens"].questions]
    assert 15 < statistics.median(lengths) < 40
    assert max(lengths) > 150


def test_what_is_there_is_not_exported_again(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr("benchmarks.zoo.catalogue.subprocess.run", refuse)
    assert ensure_models(["mlp"], models_dir)["mlp"].model is MODELS["mlp"]
    with pytest.raises(AssertionError, match="exported again"):
        ensure_models(["mlp"], models_dir / "elsewhere")


def test_an_export_is_the_same_every_time(zoo: dict[str, Exported], tmp_path: Path) -> None:
    again = ensure_models(["text"], tmp_path)["text"]
    assert again.questions == zoo["text"].questions
