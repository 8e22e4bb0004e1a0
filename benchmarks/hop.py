"""``python -m benchmarks.hop``: what the way between a front process and the engine costs."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import uvloop

from batching import DevicePool, InlineExecutor, Item, Outputs, PackedInputs, RunTiming
from benchmarks.arguments import count, counts
from benchmarks.fronts import MODEL, free_gateway
from benchmarks.machine import describe_machine
from benchmarks.report import ratios, spread, table, write_json
from gateway.app import Gateway
from gateway.engine.link import FrontLink
from gateway.errors import ServingError
from gateway.front.link import EngineLink
from gateway.front.table import Table
from gateway.hop.inputs import pack
from gateway.hop.replies import HopTiming
from gateway.http.paths import ModelPath

DESCRIPTION = (
    "Processor time of a request between a front and the engine, in process: frames are written "
    "and read, no byte is moved and no JSON is touched. The engine runs a model that is free."
)
TIMEOUT_SECONDS = 60.0


@dataclass(slots=True)
class Series:
    """One side at one number of requests a frame; microseconds per request, by round."""

    side: str
    together: int
    values: int
    rounds: list[float] = field(default_factory=list)


class Pipe(asyncio.Transport):
    """One end of a connection that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.written.append(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return 0

    def take(self) -> bytes:
        data = b"".join(self.written)
        self.written.clear()
        return data

    def abort(self) -> None:
        raise AssertionError("a broken frame")

    def close(self) -> None:
        """Nothing is open."""


class Waiter:
    """A request's place in the front, without the request."""

    answered = 0

    def answer(self, outputs: Outputs, timing: RunTiming, queue_seconds: float) -> None:
        Waiter.answered += 1

    def answer_body(self, body: bytes, timing: HopTiming) -> None:
        raise AssertionError("the front can write this")

    def fail(self, error: ServingError) -> None:
        raise error

    def answer_http(self, answer: bytes, close: bool) -> None:
        raise AssertionError("the front has read the request")

    def go_otherwise(self) -> None:
        raise AssertionError("the signature is in force")


class Hop:
    """Both ends, and the engine behind one of them."""

    def __init__(self, gateway: Gateway, values: int) -> None:
        self.table = Table()
        self.engine_end, self.front_end = Pipe(), Pipe()
        self.engine = FrontLink(gateway.make_link_context(), _ignore, _ignore)
        self.front = EngineLink(self.table, TIMEOUT_SECONDS, _ignore)
        self.front.connection_made(self.front_end)
        self.engine.connection_made(self.engine_end)
        self.engine.data_received(self.front_end.take())
        self.front.data_received(self.engine_end.take())
        route = self.table.route(ModelPath("predict", MODEL))
        assert route is not None, "told by the engine"
        self._signature = route["serving_default"]
        spec = self._signature.known.signature.inputs["x"]
        row = np.arange(values, dtype=spec.dtype).tobytes()
        self.inputs = PackedInputs((row,), ((spec.name, spec.dtype, (values,)),), 1)
        self._waiter = Waiter()

    def send(self, together: int) -> None:
        """The front's first half: requests to a frame."""
        now = time.monotonic()
        for _ in range(together):
            description = self._signature.describe(self.inputs, rows=True)
            self.front.submit(self._waiter, description, *pack(self.inputs), now)


def _ignore(link: object) -> None:
    pass


class Meter:
    """Adds up processor time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        started = time.process_time()
        yield
        self.seconds += time.process_time() - started


async def measure(hop: Hop, gateway: Gateway, together: int, requests: int) -> dict[str, float]:
    """Microseconds per request: of the front, of the engine, and of the engine's batcher alone
    with the same requests."""
    front, engine, batcher = Meter(), Meter(), Meter()
    frames = max(1, requests // together)
    Waiter.answered = 0
    for _ in range(frames):
        with front.running():
            hop.send(together)
            await asyncio.sleep(0)
        data = hop.front_end.take()
        with engine.running():
            hop.engine.data_received(data)
            while not hop.engine_end.written:
                await asyncio.sleep(0)
        data = hop.engine_end.take()
        with front.running():
            hop.front.data_received(data)
        with batcher.running():
            await _submit_directly(gateway, hop.inputs, together)
    assert Waiter.answered == frames * together, "every request is answered"
    scale = 1e6 / (frames * together)
    return {
        "front": front.seconds * scale,
        "engine": engine.seconds * scale,
        "batcher alone": batcher.seconds * scale,
    }


async def _submit_directly(gateway: Gateway, inputs: PackedInputs, together: int) -> None:
    latest = gateway.registry.models[MODEL].latest
    assert latest is not None, "loaded"
    queue = latest.queues["serving_default"]
    deadline = time.monotonic() + TIMEOUT_SECONDS
    done: list[Item] = []
    for _ in range(together):
        queue.batcher.submit(inputs, deadline=deadline, done=done.append)
    while len(done) < together:
        await asyncio.sleep(0)


async def compare(values: int, together: Sequence[int], rounds: int, requests: int) -> list[Series]:
    """Time every number of requests a frame in turn, ``rounds`` times."""
    with TemporaryDirectory() as folder:
        pool = DevicePool([InlineExecutor("cpu:0")])
        async with free_gateway(Path(folder), pool) as gateway:
            hop = Hop(gateway, values)
            found: dict[tuple[str, int], Series] = {}
            for number in together:
                await measure(hop, gateway, number, 1000)
            gc.collect()
            gc.freeze()
            try:
                for _ in range(rounds):
                    for number in together:
                        times = await measure(hop, gateway, number, requests)
                        for side, microseconds in times.items():
                            series = found.setdefault((side, number), Series(side, number, values))
                            series.rounds.append(microseconds)
            finally:
                gc.unfreeze()
            return list(found.values())


def show(found: Sequence[Series]) -> str:
    """A table of one width of rows."""
    values = found[0].values
    head = (f"{values} values a request", "a frame", "CPU us min", "median", "/ batcher alone")
    alone = {s.together: s for s in found if s.side == "batcher alone"}
    rows = []
    for series in found:
        cpu = spread(series.rounds)
        ratio = ratios(series.rounds, alone[series.together].rounds).show()
        rows.append(
            [series.side, str(series.together), f"{cpu.minimum:.2f}", f"{cpu.median:.2f}", ratio]
        )
    return table(head, rows)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hop", description=DESCRIPTION)
    parser.add_argument("--together", type=counts(1024), default=(1, 8, 32), metavar="N,N,...")
    parser.add_argument("--values", type=counts(4096), default=(4, 784), metavar="N,N,...")
    parser.add_argument("--rounds", type=count(100), default=7)
    parser.add_argument("--requests", type=count(1_000_000), default=5000, help="of one round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to FILE")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    machine = describe_machine(("uvloop", "orjson", "numpy"))
    sys.stdout.write("\n".join(machine.lines()) + "\n\n")
    results: list[Series] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for values in options.values:
            found = runner.run(compare(values, options.together, options.rounds, options.requests))
            sys.stdout.write(show(found) + "\n\n")
            results += found
    if options.json:
        recorded = {k: v for k, v in vars(options).items() if k != "json"}
        write_json(options.json, machine, recorded, [asdict(series) for series in results])


if __name__ == "__main__":
    main()
