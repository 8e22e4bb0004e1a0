"""``python -m benchmarks.loop_lag``: how late the event loop runs while device threads compute, and
how long the garbage collector stops it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import uvloop

from batching import DevicePool, DeviceThread
from benchmarks.arguments import count, seconds
from benchmarks.loadgen.timer import PreciseTimer
from benchmarks.machine import describe_machine
from benchmarks.report import spread, table
from benchmarks.zoo.catalogue import ensure_models
from gateway.backends.base import Tensors
from gateway.backends.tensorflow import TensorFlowBackend
from gateway.devices import start_pool
from gateway.server import SWITCH_INTERVAL_SECONDS

DESCRIPTION = (
    "A timer rings every millisecond and the event loop notes how late it hears it: alone, and with"
    " one batch after the other on every device thread, with the kernel's ordinary time slices and"
    " with the short ones that the server asks for. What else runs on the machine adds to all."
)
TICK_SECONDS = 0.001
SETTLE_SECONDS = 0.1
HEAD = ("event loop", "p50 ms", "p99 ms", "max ms", "p99 by round", "batches/s")

Job = Callable[[], object]
MakePool = Callable[[Sequence[str]], DevicePool]


@dataclass
class Phase:
    """What was seen in one state of affairs, by round."""

    make_pool: MakePool
    busy: bool
    lags: list[list[float]] = field(default_factory=list)
    """Milliseconds, ascending."""
    batches: list[float] = field(default_factory=list)
    """A second."""

    def line(self, name: str) -> list[str]:
        every = sorted(lag for lags in self.lags for lag in lags)
        figures = [f"{_quantile(every, share):.2f}" for share in (0.5, 0.99, 1)]
        p99 = spread([_quantile(lags, 0.99) for lags in self.lags]).show()
        return [name, *figures, p99, f"{spread(self.batches).median:.0f}"]


def _quantile(ascending: Sequence[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]


def ordinary_pool(names: Sequence[str]) -> DevicePool:
    """As ``start_pool``, but the loop's thread stays as it is."""
    return DevicePool([DeviceThread(name) for name in names])


async def watch(phase: Phase, devices: Sequence[str], job: Job, duration: float) -> None:
    """One round."""
    pool = phase.make_pool(devices)
    done = 0
    stop = False

    def next_batch(index: int, result: object, error: BaseException | None) -> None:
        nonlocal done
        if error is not None:
            raise error
        done += 1
        if not stop:
            pool.executors[index].execute(job, partial(next_batch, index))

    for index in range(len(devices) if phase.busy else 0):
        pool.executors[index].execute(job, partial(next_batch, index))
    await asyncio.sleep(SETTLE_SECONDS)
    before, started = done, time.monotonic()
    lags = await _lags(duration)
    phase.lags.append(sorted(lags))
    phase.batches.append((done - before) / (time.monotonic() - started))
    stop = True
    await asyncio.sleep(SETTLE_SECONDS)
    pool.close()


async def _lags(duration: float) -> list[float]:
    due = time.monotonic() + TICK_SECONDS
    end = due + duration
    lags: list[float] = []
    finished = asyncio.get_running_loop().create_future()

    def rung() -> None:
        nonlocal due
        now = time.monotonic()
        # Every tick that was missed meanwhile would have been heard now.
        while due <= now:
            lags.append((now - due) * 1000)
            due += TICK_SECONDS
        if now < end:
            timer.arm(due)
        elif not finished.done():
            finished.set_result(None)

    timer = PreciseTimer(rung)
    timer.arm(due)
    await finished
    timer.close()
    return lags


def run_round(phase: Phase, devices: Sequence[str], job: Job, duration: float) -> None:
    """In a thread of its own, which the kernel does not know yet."""

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(watch(phase, devices, job, duration))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def collect() -> float:
    """Milliseconds of a full collection."""
    started = time.perf_counter()
    gc.collect()
    return (time.perf_counter() - started) * 1000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop_lag", description=DESCRIPTION)
    parser.add_argument("--rows", type=count(256), default=8, help="of a batch of the CNN")
    parser.add_argument("--rounds", type=count(100), default=5)
    parser.add_argument("--seconds", type=seconds(60), default=1.0, help="of a phase in a round")
    options = parser.parse_args(arguments)
    exported = ensure_models(["cnn"])["cnn"]
    print("\n".join(describe_machine().lines()))
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    backend = TensorFlowBackend()
    devices = [name for name in backend.devices() if name.startswith("cpu:")]
    run = backend.load(exported.saved_model, devices).runner("serving_default", devices[0])
    inputs: Tensors = {
        "image": np.array([exported.questions[0].row] * options.rows, np.float32),
    }
    run(inputs)
    pauses = [collect()]
    gc.freeze()
    pauses.append(collect())
    print(f"devices  {len(devices)}; full collections: {pauses[0]:.1f} ms, then {pauses[1]:.1f} ms")
    phases = {
        "alone": Phase(ordinary_pool, busy=False),
        "busy devices, ordinary slices": Phase(ordinary_pool, busy=True),
        "busy devices, as served": Phase(start_pool, busy=True),
    }
    for _ in range(options.rounds):
        for phase in phases.values():
            run_round(phase, devices, partial(run, inputs), options.seconds)
    print("\n" + table(HEAD, [phase.line(name) for name, phase in phases.items()]))


if __name__ == "__main__":
    main()
