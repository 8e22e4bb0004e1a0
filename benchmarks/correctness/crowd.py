"""The clients of a soak: some are rude, all of them compare what they are told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from benchmarks.correctness.answers import TOLERANCE, difference, read_answer
from benchmarks.correctness.bad_requests import bad_bodies, poisoned_body
from benchmarks.correctness.plan import Plan
from benchmarks.correctness.reference import Reference
from benchmarks.correctness.serving import Answer, Client

ONE_BAD_IN = 50
ONE_DISCONNECT_IN = 100
LONGEST_PATIENCE_SECONDS = 0.05
"""How long a client that will disconnect waits at most."""
KNOWN_BODIES = 32
"""Bodies that were right before are not read again; so many are remembered for each question."""


@dataclass(slots=True)
class Case:
    """A question, how it is asked and what is right."""

    plan: Plan
    number: int
    body: bytes
    bad: list[bytes]
    right: set[bytes] = field(default_factory=set)

    def is_right(self, answer: Answer) -> bool:
        if answer.body in self.right:
            return True
        expected = self.plan.expected[self.number]
        assert expected is not None, "cases are made of what TensorFlow answers"
        received = read_answer(self.plan.questions[self.number], answer.body)
        if difference(received, expected) > TOLERANCE:
            return False
        if len(self.right) < KNOWN_BODIES:
            self.right.add(answer.body)
        return True


@dataclass(slots=True)
class Tally:
    """What became of the requests to one model."""

    requests: int = 0
    wrong: int = 0
    """Answered with something else than the right answer."""
    lost: int = 0
    """Good requests without an answer, or refused."""
    bad: int = 0
    bad_refused: int = 0
    """Bad requests that got a 4xx."""
    disconnects: int = 0
    rows: float = 0.0
    runs: float = 0.0
    """Batches, and the rows in them, as the server counts."""
    latencies: list[float] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def mistake(self, case: Case, said: str) -> None:
        self.mistakes.append(f"{case.plan.model.name} #{case.number}: {said[:300]}")


def make_cases(plan: Plan) -> list[Case]:
    reference = Reference(plan.model.name, plan.model.path)
    cases = []
    for number, question in enumerate(plan.questions):
        if plan.expected[number] is not None:
            poison = poisoned_body(question, reference)
            bad = [*bad_bodies(question), *([poison] if poison else [])]
            cases.append(Case(plan, number, question.body(), bad))
    reference.close()
    return cases


class Crowd:
    """The clients and what they found."""

    def __init__(self, client: Client, cases: Sequence[Case], seed: int) -> None:
        self._client = client
        self._models = list({case.plan.model.name: None for case in cases})
        self._cases = {m: [c for c in cases if c.plan.model.name == m] for m in self._models}
        self._random = random.Random(seed)
        self.tallies = {model: Tally() for model in self._models}

    async def run(self, clients: int, duration: float) -> None:
        end = time.monotonic() + duration
        # Each keeps to one model: else all of them would end up waiting for the slowest.
        models = itertools.islice(itertools.cycle(self._models), clients)
        await asyncio.gather(*[self._ask_until(end, model) for model in models])

    async def _ask_until(self, end: float, model: str) -> None:
        while time.monotonic() < end:
            case = self._random.choice(self._cases[model])
            tally = self.tallies[model]
            tally.requests += 1
            if self._random.randrange(ONE_BAD_IN) == 0:
                await self._ask_badly(case, tally)
            elif self._random.randrange(ONE_DISCONNECT_IN) == 0:
                await self._ask_and_leave(case, tally)
            else:
                await self._ask(case, tally)

    async def _ask(self, case: Case, tally: Tally) -> None:
        try:
            answer = await self._client.predict(case.plan.model.name, case.body)
        except (aiohttp.ClientError, TimeoutError) as error:
            tally.lost += 1
            tally.mistake(case, f"no answer: {error!r}")
            return
        tally.latencies.append(answer.seconds)
        if answer.status != 200:
            tally.lost += 1
            tally.mistake(case, f"{answer.status} {answer.body.decode(errors='replace')}")
        elif not case.is_right(answer):
            tally.wrong += 1
            tally.mistake(case, f"wrong: {answer.body.decode(errors='replace')}")

    async def _ask_badly(self, case: Case, tally: Tally) -> None:
        tally.bad += 1
        answer = await self._client.predict(case.plan.model.name, self._random.choice(case.bad))
        refused = 400 <= answer.status < 500 and answer.body.startswith(b'{"error":')
        tally.bad_refused += refused
        if not refused:
            tally.mistake(case, f"bad, but {answer.status} {answer.body.decode(errors='replace')}")

    async def _ask_and_leave(self, case: Case, tally: Tally) -> None:
        tally.disconnects += 1
        patience = self._random.random() * LONGEST_PATIENCE_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._ask(case, tally)
