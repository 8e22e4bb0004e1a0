"""Types of the command lines' options. Each has an upper bound: no run is without end."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

MAX_STEP_SECONDS = 600


def count(most: int) -> Callable[[str], int]:
    """A parser of integers from 1 to ``most``."""

    def parse(text: str) -> int:
        number = int(text) if text.strip().isdecimal() else 0
        if not 1 <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no integer from 1 to {most}")
        return number

    return parse


def counts(most: int) -> Callable[[str], tuple[int, ...]]:
    """A parser of integers from 1 to ``most``, separated by commas; empty text is none."""
    one = count(most)

    def parse(text: str) -> tuple[int, ...]:
        return tuple(one(part) for part in text.split(",")) if text else ()

    return parse


def steps(text: str) -> list[tuple[int, int]]:
    """``USERS:SECONDS,...``: at most 1024 users, at most ten minutes in all."""
    users, longest = count(1024), count(MAX_STEP_SECONDS)
    pairs = [step.partition(":") for step in text.split(",")]
    found = [(users(before), longest(after)) for before, _, after in pairs]
    if sum(seconds for _, seconds in found) > MAX_STEP_SECONDS:
        raise argparse.ArgumentTypeError(f"the steps take more than {MAX_STEP_SECONDS} s")
    return found


def seconds(most: float) -> Callable[[str], float]:
    """A parser of seconds above 0 and up to ``most``."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no time from 0 to {most:g} s")
        return number

    return parse


def shares(most: float) -> Callable[[str], tuple[float, ...]]:
    """A parser of numbers above 0 and up to ``most``, separated by commas; empty text is none."""
    one = seconds(most)

    def parse(text: str) -> tuple[float, ...]:
        return tuple(one(part) for part in text.split(",")) if text else ()

    return parse


def choices(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """A parser of some of the known names, separated by commas."""

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(text.split(","))
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return found

    return parse
