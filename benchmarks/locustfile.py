"""Predict requests from locust users to any model on this machine.

Environment, beside that of ``locust_rules``:
    MODEL        its name (half_plus_two, the demo's)
    BODY         file with a request's JSON body; without it the demo model's requests

Each answer is compared: the demo model's with what they must be, others with the first answer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant, task

from benchmarks.loadgen.answers import AnswerCheck, Sample, demo_samples
from benchmarks.locust_rules import Steps, next_turn

__all__ = ["Predict", "Steps"]

DEMO_MODEL = "half_plus_two"
MODEL = os.environ.get("MODEL", DEMO_MODEL)
PATH = f"/v1/models/{MODEL}:predict"


def samples_of(body_file: str) -> list[Sample]:
    """The file's body, or the demo model's requests when no file is named."""
    if body_file:
        return [Sample(Path(body_file).read_bytes())]
    if MODEL != DEMO_MODEL:
        raise SystemExit(f"BODY must name a file with a request for the model {MODEL}")
    return demo_samples()


SAMPLES = samples_of(os.environ.get("BODY", ""))
CHECK = AnswerCheck(SAMPLES)
NAME = f"predict {MODEL}"
HEADERS = {"Content-Type": "application/json"}


class Predict(FastHttpUser):
    """A client that asks again as soon as it has its answer."""

    wait_time = constant(0)

    @task
    def predict(self) -> None:
        self._ask(next_turn(self.environment) % len(SAMPLES))

    def _ask(self, number: int) -> None:
        body: Any = SAMPLES[number].body  # Bytes are taken, though not by the declared type.
        request = self.client.post(PATH, data=body, headers=HEADERS, name=NAME, catch_response=True)
        with request as response:
            fault = CHECK.fault(number, response.status_code, response.content or b"")
            if fault is None:
                response.success()
            else:
                response.failure(fault)
