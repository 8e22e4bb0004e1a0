"""Protobuf text files, with the place of each field for errors that the parser cannot see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.errors import ConfigError

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

Path = tuple[str | int, ...]
"""``("model_config_list", "config", 2, "name")``: field names, each but for the first of a
repeated field followed by an index."""

_Step = tuple[str, int]
_OPENING = {"{": "}", "<": ">"}


@dataclass(frozen=True, slots=True)
class ProtoFile:
    """A parsed file."""

    message: Any
    label: str
    places: Mapping[tuple[_Step, ...], tuple[int, int]]
    """Line and column, from 1."""

    def error(self, path: Path, problem: str) -> ConfigError:
        """``LABEL, line L, column C: PROBLEM`` for the field at ``path``, or what is around it."""
        steps = _steps(path)
        while steps and steps not in self.places:
            steps = steps[:-1]
        if not steps:
            return ConfigError(f"{self.label}: {problem}")
        line, column = self.places[steps]
        return ConfigError(f"{self.label}, line {line}, column {column}: {problem}")


def parse(
    text: str,
    message: Any,
    label: str,
    pool: DescriptorPool | None = None,
    *,
    secret: bool = False,
) -> ProtoFile:
    """``message`` filled from ``text``; ``pool`` knows the types of Any messages in it.

    Raises ConfigError, with line and column, for text that is no such message; nothing of a
    ``secret`` text is repeated in it.
    """
    # Imported late: most starts have no such file.
    from google.protobuf import text_format

    try:
        text_format.Parse(text, message, descriptor_pool=pool)
    except text_format.ParseError as error:
        line, column = error.GetLine(), error.GetColumn()
        what = str(error).removeprefix(f"{line}:{column} : ")
        if secret:
            what = f"this is no {message.DESCRIPTOR.name} in protobuf's text form"
        raise ConfigError(f"{label}, line {line}, column {column}: {what}") from None
    return ProtoFile(message, label, _Places(text).found)


def _steps(path: Path) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    for part in path:
        if isinstance(part, int):
            steps[-1] = (steps[-1][0], part)
        else:
            steps.append((part, 0))
    return tuple(steps)


class _Places:
    """Where each field stands in a text that has been parsed before."""

    def __init__(self, text: str) -> None:
        from google.protobuf.text_format import Tokenizer

        self.found: dict[tuple[_Step, ...], tuple[int, int]] = {}
        self._tokens = Tokenizer(text.split("\n"))
        self._message((), closing="")

    def _message(self, around: tuple[_Step, ...], closing: str) -> None:
        counts: Counter[str] = Counter()
        while not self._tokens.AtEnd() and self._tokens.token != closing:
            place = self._place()
            name = self._name()
            self._tokens.TryConsume(":")
            several = self._tokens.TryConsume("[")
            while not (several and self._tokens.TryConsume("]")):
                path = (*around, (name, counts[name]))
                self.found[path] = place
                counts[name] += 1
                self._value(path)
                self._separator()
                if not several:
                    break
            self._separator()

    def _place(self) -> tuple[int, int]:
        error: Any = self._tokens.ParseError("")  # type: ignore[arg-type]
        return error.GetLine(), error.GetColumn()

    def _name(self) -> str:
        if not self._tokens.TryConsume("["):
            return self._next()
        # The type of an Any: [type.googleapis.com/PACKAGE.MESSAGE]
        name = ""
        while not self._tokens.TryConsume("]"):
            name += self._next()
        return name

    def _value(self, path: tuple[_Step, ...]) -> None:
        closing = _OPENING.get(self._tokens.token)
        if closing is not None:
            self._next()
            self._message(path, closing)
            self._next()
            return
        self._tokens.TryConsume("-")
        is_text = self._next().startswith(("'", '"'))
        while is_text and self._tokens.token.startswith(("'", '"')):
            self._next()

    def _separator(self) -> None:
        if not self._tokens.TryConsume(","):
            self._tokens.TryConsume(";")

    def _next(self) -> str:
        token = self._tokens.token
        self._tokens.NextToken()
        return token
