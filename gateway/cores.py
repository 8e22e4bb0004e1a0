"""How many CPU cores this process may use: by its affinity, and by its control groups' quotas."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """At least 1. Of a quota only whole cores count: when threads have used it up, all of them are
    stopped until its period (0.1 s) is over, the event loop with them."""
    return max(1, int(min(len(os.sched_getaffinity(0)), cpu_quota())))


def cpu_quota(mount: Path = _MOUNT, own_groups: Path = _OWN_GROUPS) -> float:
    """Cores' worth of time that the process's control groups leave it; ``inf`` without a limit.

    Reads both kinds of control groups (Linux, cgroup-v2 and sched-bwc). What cannot be read
    limits nothing.
    """
    try:
        lines = own_groups.read_text().splitlines()
    except OSError:
        return math.inf
    quotas = [quota for line in lines for quota in _quotas(mount, *line.split(":", 2))]
    return min(quotas, default=math.inf)


def _quotas(mount: Path, hierarchy: str, controllers: str, group: str) -> Iterator[float]:
    if hierarchy == "0" and not controllers:
        for folder in _with_parents(mount, group):
            yield _quota(_words(folder / "cpu.max"))
    elif "cpu" in controllers.split(","):
        for folder in _with_parents(mount / "cpu", group):
            words = (*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us"))
            yield _quota(words)


def _with_parents(mount: Path, group: str) -> Iterator[Path]:
    """The folder of ``group`` and all above it. In a container the outer ones are not mounted, and
    the group's own is the mount point itself."""
    folder = mount / group.strip("/")
    yield folder
    while folder != mount:
        folder = folder.parent
        yield folder


def _quota(words: tuple[str, ...]) -> float:
    """From quota and period; no quota is ``max`` or negative."""
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return math.inf
    quota, period = map(int, words)
    return quota / period if period else math.inf


def _words(file: Path) -> tuple[str, ...]:
    try:
        return tuple(file.read_text().split())
    except OSError:
        return ()
