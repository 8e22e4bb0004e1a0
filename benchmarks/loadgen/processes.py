"""The processes that a process started (Linux, proc(5))."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path


def stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third on; None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in brackets, may hold spaces and brackets.
    return text.rpartition(")")[2].split()


def descendants(pid: int) -> Iterator[int]:
    """Children of a process, and theirs."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in map(int, children):
            yield child
            yield from descendants(child)


def started_at(pid: int) -> str | None:
    """When a process started, in clock ticks: with its id, what tells it from all others."""
    fields = stat_fields(pid)
    # Field 22 of the manual page.
    return fields[19] if fields else None


def living_tree(pid: int) -> dict[int, str]:
    """A process's descendants with their starts."""
    found = {child: started_at(child) for child in descendants(pid)}
    return {child: start for child, start in found.items() if start is not None}


def kill_leftovers(tree: Mapping[int, str]) -> None:
    """SIGKILL those of a ``living_tree`` that are still there, and nobody who has their id now."""
    for pid, start in tree.items():
        if started_at(pid) == start:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
