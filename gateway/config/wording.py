"""How error lines name settings, quote values and suggest what was probably meant."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable

Key = tuple[str, ...]
"""Place of a setting: ``("port",)`` or ``("models", "resnet", "max_batch_size")``."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_QUOTE_LIMIT = 80
_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^/\s\"']+/)*")


def dotted(key: Key) -> str:
    """``models.resnet.port``, in TOML's spelling: other characters are quoted."""
    return ".".join(part if _BARE_KEY.fullmatch(part) else json.dumps(part) for part in key)


def quoted(value: object) -> str:
    """``value`` as TOML would write it, cut after 80 characters."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _QUOTE_LIMIT else f"{text[:_QUOTE_LIMIT]}..."


def without_folders(text: str) -> str:
    """``text`` with the file's name alone in the place of each absolute path: clients may know how
    a file is called, not where it lies."""
    return _FOLDERS.sub("", text)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """``"; did you mean X?"`` for the candidate nearest to ``name``, or an empty string."""
    names = list(candidates)
    nearest = difflib.get_close_matches(name, names, n=1)
    longer = [candidate for candidate in names if candidate.startswith(name)]
    return "".join(f"; did you mean {candidate}?" for candidate in (nearest or longer)[:1])
