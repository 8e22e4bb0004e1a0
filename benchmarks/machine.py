"""Where a figure was taken. Without it no two figures can be compared."""

from __future__ import annotations

import os
import platform
import subprocess
import sysconfig
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "uvloop", "aiohttp", "orjson", "tensorflow")
_SPEED_TURNS = 1_000_000


@dataclass(frozen=True, slots=True)
class Machine:
    """The host, the interpreter and the code, as they were when the benchmark began."""

    processor: str
    cores: int
    """Logical cores that this process may use."""
    load_average: float
    """Over the minute before: what others did to this machine."""
    system: str
    python: str
    versions: dict[str, str]
    commit: str

    def lines(self) -> list[str]:
        """The head of a report."""
        packages = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return [
            f"machine  {self.processor}, {self.cores} cores, load {self.load_average:.2f}, "
            f"{self.system}",
            f"python   {self.python}",
            f"packages {packages}",
            f"commit   {self.commit}",
        ]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def describe_machine(packages: Iterable[str] = PACKAGES) -> Machine:
    """Look around. Packages that are not installed are left out."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        load_average=os.getloadavg()[0],
        system=f"{platform.system()} {platform.release()}",
        python=_python(),
        versions=_versions(packages),
        commit=_commit(),
    )


def loop_speed() -> float:
    """Million turns per second of a fixed Python loop, now and on this core (about 20 ms).

    Virtual cores change their speed by half and more within minutes: rounds whose loop speeds
    differ may only be compared as ratios.
    """
    started = time.process_time()
    for _ in range(_SPEED_TURNS):
        pass
    return _SPEED_TURNS / (time.process_time() - started) / 1e6


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _python() -> str:
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    # Builds without profile-guided optimisation are slower by a third. Debian's have it without
    # the flag, so this is no proof.
    build = "with" if "--enable-optimizations" in arguments else "without"
    name, number = platform.python_implementation(), platform.python_version()
    return (
        f"{name} {number}, configured {build} --enable-optimizations, {platform.python_compiler()}"
    )


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + (" with changes" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    root = Path(__file__).parent
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
