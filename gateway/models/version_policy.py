"""Which of the versions on disk are to be served (TF Serving, ServableVersionPolicy)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

_TEXT = re.compile(r"latest(?::(?P<count>[0-9]+))?|all|specific:(?P<versions>[0-9]+(?:,[0-9]+)*)")


@dataclass(frozen=True, slots=True)
class VersionPolicy:
    """``latest`` (the ``count`` highest), ``all``, or ``specific`` ``versions``."""

    kind: Literal["latest", "all", "specific"] = "latest"
    count: int = 1
    versions: frozenset[int] = frozenset()

    def select(self, present: Collection[int]) -> frozenset[int]:
        """Those of ``present`` that are to be served."""
        if self.kind == "latest":
            return frozenset(sorted(present)[-self.count :])
        return frozenset(present) if self.kind == "all" else self.versions & frozenset(present)


def parse_version_policy(text: str) -> VersionPolicy:
    """``latest``, ``latest:N``, ``all`` or ``specific:1,3``; N = 0 means 1, as in TF Serving.

    Raises ValueError for anything else.
    """
    match = _TEXT.fullmatch(text.replace(" ", ""))
    if match is None:
        raise ValueError('must be "latest", "latest:N", "all" or "specific:N,N,..."')
    if match["versions"]:
        return VersionPolicy("specific", versions=frozenset(map(int, match["versions"].split(","))))
    if match[0] == "all":
        return VersionPolicy("all")
    return VersionPolicy(count=max(1, int(match["count"] or 1)))
