"""``python -m benchmarks.grpc_rest``: Predict over gRPC against REST, of one server in one run."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

import grpc
import numpy as np
import uvloop

from benchmarks.arguments import count, counts, seconds
from benchmarks.loadgen.answers import Sample, demo_samples
from benchmarks.loadgen.closed import closed_loop
from benchmarks.loadgen.cpu import placed_on, split_cores
from benchmarks.loadgen.load import Traffic
from benchmarks.loadgen.record import percentile
from benchmarks.loadgen.server import HOST, Server, free_port
from benchmarks.loadgen.target import target_of
from benchmarks.machine import describe_machine
from benchmarks.servers import DEMO_PATH, demo_server
from gateway.codecs.tensor_proto import array_of, tensor_proto
from gateway.protos.services import PREDICTION_SERVICE
from gateway.protos.serving import PredictRequest, PredictResponse

DESCRIPTION = "Predict over gRPC against REST: the demo model, one server, ratios of one run."
WARMUP_SECONDS = 0.3
MODEL = "half_plus_two"


Call = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Run:
    """One protocol under one load in one round."""

    requests_per_second: float
    server_cpu_us: float
    """Processor time of the server per request."""
    p50_ms: float


class Load(Protocol):
    """What the server is asked, one way or the other."""

    async def run(self, at_once: int, longest: float) -> Run:
        """So many requests at once for about ``longest`` seconds. Raises RuntimeError for a wrong
        answer."""


class GrpcLoad:
    """A closed loop of calls on one channel. Answers are checked."""

    def __init__(self, port: int, cpu_seconds: Callable[[], float]) -> None:
        self._port = port
        self._cpu_seconds = cpu_seconds
        self._requests = [_request(number) for number in range(16)]

    async def run(self, at_once: int, longest: float) -> Run:
        latencies = array("d")
        async with grpc.aio.insecure_channel(f"{HOST}:{self._port}") as channel:
            call: Call = channel.unary_unary(f"/{PREDICTION_SERVICE}/Predict")
            cpu, began = self._cpu_seconds(), time.monotonic()
            end = began + longest

            async def client(first: int) -> None:
                sent = first
                while (now := time.monotonic()) < end:
                    number = sent % len(self._requests)
                    answer = await call(self._requests[number])
                    latencies.append(time.monotonic() - now)
                    if sent < len(self._requests):
                        _check(answer, number)
                    sent += at_once

            await asyncio.gather(*[client(number) for number in range(at_once)])
            took = time.monotonic() - began
            cpu = self._cpu_seconds() - cpu
        return _run(latencies, took, cpu)


class RestLoad:
    """The same requests over keep-alive connections."""

    def __init__(self, server: Server, samples: Sequence[Sample]) -> None:
        self._traffic = Traffic(
            target_of(server.url + DEMO_PATH), samples, cpu_seconds=server.cpu_seconds
        )

    async def run(self, at_once: int, longest: float) -> Run:
        record = await closed_loop(self._traffic, at_once, longest)
        if record.errors:
            raise RuntimeError(f"REST: {record.faults.most_common(1)}")
        return _run(record.latencies, record.seconds, record.server_cpu_seconds)


def _run(latencies: Sequence[float], took: float, cpu: float) -> Run:
    number = len(latencies)
    return Run(number / took, cpu / number * 1e6, percentile(sorted(latencies), 0.5) * 1e3)


def _request(number: int) -> bytes:
    request = PredictRequest(model_spec={"name": MODEL})
    request.inputs["x"].CopyFrom(tensor_proto(np.array([1 + number], np.float32), "DT_FLOAT"))
    data: bytes = request.SerializeToString()
    return data


def _check(answer: bytes, number: int) -> None:
    (y,) = array_of(PredictResponse.FromString(answer).outputs["y"]).tolist()
    if y != (1 + number) / 2 + 2:
        raise RuntimeError(f"gRPC: {y} for {1 + number}")


async def compare(server: Server, port: int, options: argparse.Namespace) -> None:
    """Both protocols in turn, and their ratios."""
    loads: dict[str, Load] = {
        "REST": RestLoad(server, demo_samples()),
        "gRPC": GrpcLoad(port, server.cpu_seconds),
    }
    for at_once in options.at_once:
        runs: dict[str, list[Run]] = {name: [] for name in loads}
        for load in loads.values():
            await load.run(at_once, WARMUP_SECONDS)
        for number in range(options.rounds):
            order = list(loads.items())
            for name, load in reversed(order) if number % 2 else order:
                runs[name].append(await load.run(at_once, options.seconds))
        medians = {name: _median(found) for name, found in runs.items()}
        for name, median in medians.items():
            print(
                f"{at_once:4} at once, {name}: {median.requests_per_second:7.0f}/s, server"
                f" {median.server_cpu_us:6.1f} us a request, p50 {median.p50_ms:6.2f} ms"
            )
        rest, over_grpc = medians["REST"], medians["gRPC"]
        rate = over_grpc.requests_per_second / rest.requests_per_second
        cpu = over_grpc.server_cpu_us / rest.server_cpu_us
        print(
            f"     gRPC to REST: {rate:.2f} of its requests/s, {cpu:.1f} times its processor time"
        )


def _median(runs: Sequence[Run]) -> Run:
    return Run(
        statistics.median(run.requests_per_second for run in runs),
        statistics.median(run.server_cpu_us for run in runs),
        statistics.median(run.p50_ms for run in runs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grpc_rest", description=DESCRIPTION)
    parser.add_argument("--at-once", type=counts(1024), default=(1, 64), metavar="N,N,...")
    parser.add_argument("--seconds", type=seconds(60), default=3.0, help="of one run")
    parser.add_argument("--rounds", type=count(50), default=3)
    options = parser.parse_args()
    for line in describe_machine().lines():
        print(line)
    port = free_port()
    server_cores, client_cores = split_cores(pin=True)
    with ExitStack() as stack:
        with placed_on(server_cores):
            server = stack.enter_context(demo_server("gateway", more=[f"--port={port}"]))
        stack.enter_context(placed_on(client_cores))
        uvloop.run(compare(server, port, options))


if __name__ == "__main__":
    main()
