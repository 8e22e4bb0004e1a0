"""What several teams do to one server: predict in rows and in columns on several models and
signatures, one row and many, mistakes, and the questions of dashboards and deployments.

Users think between requests. Each answer is compared with what TensorFlow answered when the models
were made, each mistake has to get its own status and a text. Environment, beside that of
``locust_rules``: MODELS_DIR, the folder of ``benchmarks.zoo``'s exports.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, task

from benchmarks.loadgen.answers import equal_values
from benchmarks.locust_rules import Steps, next_turn
from benchmarks.zoo.catalogue import (
    DEFAULT_FOLDER,
    MODELS,
    SECOND_SIGNATURE,
    Exported,
    Question,
    read_export,
)

__all__ = ["Careless", "Columns", "ManyRows", "Operator", "Rows", "Steps"]

MODELS_DIR = Path(os.environ.get("MODELS_DIR", DEFAULT_FOLDER))
ZOO = {name: read_export(model, MODELS_DIR) for name, model in MODELS.items()}
EQUAL_LENGTHS = [one for one in ZOO.values() if not one.model.variable_length]
WITH_SECOND_SIGNATURE = [one for one in EQUAL_LENGTHS if one.model.name != "half_plus_two"]
HEADERS = {"Content-Type": "application/json"}
MANY_ROWS = 8
Fault = Callable[[int, Any], str | None]
"""What is wrong with an answer's status and JSON value; None when nothing is."""


def expects(value: Any) -> Fault:
    """200 with a JSON value equal to ``value``."""

    def fault(status: int, answer: Any) -> str | None:
        if status != 200:
            return f"status {status}: {str(answer)[:100]}"
        return None if equal_values(answer, value) else f"wrong: {str(answer)[:100]}"

    return fault


def refuses(status: int) -> Fault:
    """That status and an error text."""

    def fault(found: int, answer: Any) -> str | None:
        if found != status:
            return f"status {found} instead of {status}: {str(answer)[:100]}"
        said = isinstance(answer, dict) and isinstance(answer.get("error"), str)
        return None if said else f"no error text: {str(answer)[:100]}"

    return fault


def has(*keys: str) -> Fault:
    """200 and an object with these keys."""

    def fault(status: int, answer: Any) -> str | None:
        right = status == 200 and isinstance(answer, dict) and answer.keys() >= set(keys)
        return None if right else f"status {status}: {str(answer)[:100]}"

    return fault


class Client(FastHttpUser):
    """Thinks between requests, and looks at every answer."""

    abstract = True
    wait_time = between(0.005, 0.05)

    def ask(self, name: str, path: str, body: Any, fault_in: Fault) -> None:
        """Send a body (None: a GET) and judge the answer."""
        next_turn(self.environment)
        method = "GET" if body is None else "POST"
        data: Any = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = self.client.request(
            method, path, data=data, headers=HEADERS, name=name, catch_response=True
        )
        with request as response:
            try:
                answer = json.loads(response.content or b"")
            except ValueError:
                answer = response.content
            fault = fault_in(response.status_code, answer)
            if fault is None:
                response.success()
            else:
                response.failure(fault)

    def predict(self, what: str, exported: Exported, body: Any, fault_in: Fault) -> None:
        name = exported.model.name
        self.ask(f"{what} {name}", f"/v1/models/{name}:predict", body, fault_in)


def pick(models: list[Exported]) -> tuple[Exported, Question]:
    """A model and one of its questions."""
    exported = random.choice(models)
    return exported, random.choice(exported.questions)


class Rows(Client):
    """One row, TensorFlow Serving's row form."""

    weight = 6

    @task
    def one_row(self) -> None:
        exported, question = pick(list(ZOO.values()))
        body = {"instances": [question.row]}
        self.predict("row", exported, body, expects({"predictions": [question.answer]}))


class Columns(Client):
    """The column form, the default signature and another."""

    weight = 3

    @task(2)
    def named_input(self) -> None:
        exported, question = pick(EQUAL_LENGTHS)
        body = {"inputs": {exported.model.input: [question.row]}}
        self.predict("column", exported, body, expects({"outputs": [question.answer]}))

    @task
    def other_signature(self) -> None:
        exported, question = pick(WITH_SECOND_SIGNATURE)
        body = {"signature_name": SECOND_SIGNATURE, "instances": [question.row]}
        doubled = [2 * value for value in question.answer]
        self.predict("doubled", exported, body, expects({"predictions": [doubled]}))


class ManyRows(Client):
    """Several rows in one request."""

    weight = 1

    @task
    def rows(self) -> None:
        exported = random.choice(EQUAL_LENGTHS)
        questions = random.choices(exported.questions, k=MANY_ROWS)
        body = {"instances": [question.row for question in questions]}
        answers = [question.answer for question in questions]
        self.predict(f"{MANY_ROWS} rows", exported, body, expects({"predictions": answers}))


@dataclass(frozen=True, slots=True)
class Mistake:
    """A request that must be refused."""

    name: str
    model: str
    body: Any
    status: int = 400


MISTAKES = (
    Mistake("no JSON", "mlp", b'{"instances": [1, 2'),
    Mistake("no rows", "mlp", {}),
    Mistake("too few numbers", "mlp", {"instances": [[1.0, 2.0]]}),
    Mistake("a text for numbers", "half_plus_two", {"instances": ["one"]}),
    Mistake("an unknown input", "mlp", {"inputs": {"wrong": [[0.0] * 64]}}),
    Mistake("an unknown signature", "mlp", {"signature_name": "no", "instances": [[0.0] * 64]}),
    Mistake("an unknown model", "nobody", {"instances": [1.0]}, status=404),
)


class Careless(Client):
    """Makes mistakes, which must not cost the others anything."""

    weight = 1

    @task
    def mistake(self) -> None:
        made = random.choice(MISTAKES)
        path = f"/v1/models/{made.model}:predict"
        self.ask(f"mistake: {made.name}", path, made.body, refuses(made.status))


class Operator(Client):
    """Dashboards, probes and deployment tools."""

    weight = 1
    wait_time = between(0.05, 0.2)

    @task(3)
    def status(self) -> None:
        model = random.choice(list(ZOO))
        self.ask("status", f"/v1/models/{model}", None, has("model_version_status"))

    @task(2)
    def metadata(self) -> None:
        model = random.choice(list(ZOO))
        self.ask("metadata", f"/v1/models/{model}/metadata", None, has("model_spec", "metadata"))

    @task
    def ready(self) -> None:
        self.ask("readyz", "/readyz", None, lambda status, _: None if status == 200 else "not 200")

    @task
    def metrics(self) -> None:
        def fault(status: int, answer: Any) -> str | None:
            return None if status == 200 and b"# TYPE" in answer else f"status {status}"

        self.ask("metrics", "/metrics", None, fault)
