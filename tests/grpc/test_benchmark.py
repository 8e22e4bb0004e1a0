"""``python -m benchmarks.grpc_rest``: the load of gRPC calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.grpc_rest import MODEL, GrpcLoad
from tests.gateway.fake_backend import FakeSignature, double
from tests.grpc.serving import serving_grpc


async def test_calls_are_counted_and_checked(tmp_path: Path) -> None:
    right = FakeSignature(lambda inputs: {"y": inputs["x"] / 2 + 2})
    seconds = iter([1.0, 3.0])
    async with serving_grpc(tmp_path, {MODEL: right}) as client:
        run = await GrpcLoad(client.port, lambda: next(seconds)).run(2, 0.1)
        calls = sum(right.sizes)
        assert calls >= 16
        assert run.server_cpu_us == pytest.approx(2e6 / calls)
        assert run.requests_per_second > 0
        assert run.p50_ms > 0


async def test_a_wrong_answer_ends_it(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, {MODEL: FakeSignature(double)}) as client:
        with pytest.raises(RuntimeError, match="gRPC: 2"):
            await GrpcLoad(client.port, lambda: 0.0).run(1, 0.1)
