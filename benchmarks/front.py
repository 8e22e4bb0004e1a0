"""``python -m benchmarks.front``: what one request costs between the socket and the device."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import uvloop

from benchmarks.arguments import count, counts
from benchmarks.fronts import MODEL, EchoProtocol, bare_front, gateway_front
from benchmarks.machine import describe_machine, loop_speed
from benchmarks.mock_transport import Connect, Load
from benchmarks.report import ratios, spread, table, write_json

DESCRIPTION = (
    "Processor time of a predict request in process, without sockets: the gateway with its hot "
    "path, without it, and a bare aiohttp Application that parses the same JSON."
)
GATEWAYS = (
    ("hot path", True, False),
    ("hot path off", False, False),
    ("hot path, device thread", True, True),
    ("hot path off, device thread", False, True),
)
"""Name, whether the path is on, and whether the model runs on a thread or on the loop itself."""
GOAL = 0.25
"""Of the bare Application's time."""
SWITCH_INTERVAL_SECONDS = 1e-4
"""The server's own (gateway.server)."""


@dataclass(slots=True)
class Series:
    """One server under one load; microseconds of processor time per request, by round."""

    server: str
    clients: int
    values: int
    rounds: list[float] = field(default_factory=list)


def request_of(values: int, fields: int = 6) -> tuple[bytes, bytes]:
    """A request with one row of so many numbers, and its answer's body.

    The head has the ``fields`` that HTTP clients usually send.
    """
    row = [index % 10 + 0.5 for index in range(values)]
    body = orjson.dumps({"instances": [row]})
    answer = orjson.dumps({"predictions": [[x / 2 + 2 for x in row]]})
    lines = (
        f"POST /v1/models/{MODEL}:predict HTTP/1.1",
        "Host: localhost:8501",
        f"Content-Length: {len(body)}",
        "Content-Type: application/json",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate",
        "User-Agent: python-requests/2.32.3",
    )
    head = "\r\n".join(lines[: fields + 1])
    return f"{head}\r\n\r\n".encode() + body, answer


@asynccontextmanager
async def loads(values: int, clients: int) -> AsyncIterator[dict[str, Load]]:
    """Each server with its clients; the first are the ones that the others are compared with."""
    request, answer = request_of(values)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        bare = await stack.enter_async_context(bare_front())
        fronts: dict[str, Connect] = {
            "bare Application": bare,
            "no server": lambda: EchoProtocol(answer),
        }
        for name, hot_path, device_thread in GATEWAYS:
            front = gateway_front(folder, hot_path=hot_path, device_thread=device_thread)
            fronts[name] = await stack.enter_async_context(front)
        made = {name: Load(front, request, answer, clients) for name, front in fronts.items()}
        try:
            yield made
        finally:
            for load in made.values():
                load.close()


async def measure(load: Load, requests: int) -> float:
    """Processor time of a request, all threads, in microseconds. Raises WrongAnswer."""
    started = time.process_time()
    await load.run(requests)
    return (time.process_time() - started) / requests * 1e6


async def compare(values: int, clients: int, rounds: int, requests: int) -> list[Series]:
    """Time all servers in turn, ``rounds`` times."""
    async with loads(values, clients) as made:
        found = [Series(name, clients, values) for name in made]
        for load in made.values():
            await load.run(10 * clients)
        # As the server does once its models are loaded.
        gc.collect()
        gc.freeze()
        try:
            for _ in range(rounds):
                for series, load in zip(found, made.values(), strict=True):
                    series.rounds.append(await measure(load, requests))
        finally:
            gc.unfreeze()
        return found


def show(found: Sequence[Series]) -> str:
    """A table of one load; the first series is the reference."""
    head = (
        f"{found[0].clients} clients, {found[0].values} values",
        "CPU us min",
        "median",
        f"/ {found[0].server}",
    )
    rows = []
    for series in found:
        cpu = spread(series.rounds)
        ratio = ratios(series.rounds, found[0].rounds).show()
        rows.append([series.server, f"{cpu.minimum:.2f}", f"{cpu.median:.2f}", ratio])
    return table(head, rows)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.front", description=DESCRIPTION)
    parser.add_argument("--clients", type=counts(4096), default=(1, 64), metavar="N,N,...")
    parser.add_argument("--values", type=counts(4096), default=(4, 64), metavar="N,N,...")
    parser.add_argument("--rounds", type=count(100), default=7)
    parser.add_argument("--requests", type=count(1_000_000), default=5000, help="of one round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to FILE")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    machine = describe_machine(("aiohttp", "httptools", "uvloop", "orjson", "numpy"))
    print("\n".join(machine.lines()), end="\n\n")
    results: list[Series] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for values in options.values:
            for clients in options.clients:
                found = runner.run(compare(values, clients, options.rounds, options.requests))
                print(show(found), end="\n\n", flush=True)
                results += found
    print(f"loop speed of this core: {loop_speed():.1f} M turns/s; goal {GOAL:g} of the reference")
    if options.json:
        recorded = {k: v for k, v in vars(options).items() if k != "json"}
        write_json(options.json, machine, recorded, [asdict(series) for series in results])


if __name__ == "__main__":
    main()
