"""What to ask a model, and the right answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.correctness.answers import TOLERANCE, difference
from benchmarks.correctness.questions import Question, invent, read_questions
from benchmarks.correctness.reference import Arrays, NotLoaded, Reference, Refused
from benchmarks.correctness.repository import ModelFolder

_SEED = 20260101


@dataclass(slots=True)
class Plan:
    """A model's questions in the order in which they are asked. ``expected`` is None where
    TensorFlow refuses."""

    model: ModelFolder
    questions: list[Question] = field(default_factory=list)
    expected: list[Arrays | None] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Why signatures are not asked."""
    stateful: bool = False
    """A question's answer depends on those before it: the order counts, and concurrency has no
    right answers to compare with."""
    random: bool = False
    """Not even a fresh copy answers the same."""

    def of_signature(self, name: str) -> list[int]:
        """Positions of a signature's questions."""
        return [i for i, q in enumerate(self.questions) if q.signature.name == name]


def make_plan(model: ModelFolder, count: int, inputs: Path | None) -> Plan:
    """``count`` questions for each signature: those of ``inputs/MODEL.json`` in turn, or invented
    ones. No questions when TensorFlow cannot load the model. Raises BadFile."""
    plan = Plan(model)
    try:
        reference = Reference(model.name, model.path)
    except NotLoaded as error:
        plan.skipped["-"] = f"TensorFlow does not load it: {error}"
        return plan
    try:
        _choose_questions(plan, reference, count, inputs)
    finally:
        reference.close()
    # Afresh, as the server's copy will be: inventing may have changed the state.
    plan.expected, repeated = _ask_twice(model, plan.questions)
    plan.stateful = not _same(plan.expected, repeated)
    if plan.stateful:
        again, _ = _ask_twice(model, plan.questions)
        plan.random = not _same(plan.expected, again)
    return plan


def _choose_questions(plan: Plan, reference: Reference, count: int, inputs: Path | None) -> None:
    file = inputs / f"{plan.model.name}.json" if inputs else None
    given = read_questions(file, reference.signatures) if file and file.exists() else []
    random = np.random.default_rng(_SEED)
    for name, signature in reference.signatures.items():
        if signature.obstacle:
            plan.skipped[name] = signature.obstacle
            continue
        chosen = [question for question in given if question.signature.name == name][:count]
        chosen = chosen or invent(signature, count, partial(reference.run, signature), random)
        if not chosen:
            plan.skipped[name] = "no invented request is accepted: give --inputs"
        plan.questions += chosen


def _ask_twice(
    model: ModelFolder, questions: Sequence[Question]
) -> tuple[list[Arrays | None], list[Arrays | None]]:
    """The answers of a fresh copy, and those when it is asked again, last question first."""
    reference = Reference(model.name, model.path)
    try:
        first = [_ask(reference, question) for question in questions]
        again = [_ask(reference, question) for question in reversed(questions)]
        return first, again[::-1]
    finally:
        reference.close()


def _ask(reference: Reference, question: Question) -> Arrays | None:
    try:
        return reference.run(question.signature, question.inputs)
    except Refused:
        return None


def _same(answers: Sequence[Arrays | None], others: Sequence[Arrays | None]) -> bool:
    return all(
        (one is other is None)
        or (one is not None and other is not None and difference(one, other) <= TOLERANCE)
        for one, other in zip(answers, others, strict=True)
    )
