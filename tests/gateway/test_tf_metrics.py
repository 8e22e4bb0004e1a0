"""TF Serving's metric names, as its dashboards read them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path, PurePath

import pytest
from prometheus_client.parser import text_string_to_metric_families

from batching import BatchDone, BatchReleased, ReleaseReason
from gateway.tf_metrics import TfServingMetrics
from tests.gateway.example_models import regressor
from tests.gateway.fake_backend import Content, FakeSignature
from tests.gateway.serving import Client, serving_fakes

PATH = "/monitoring/prometheus/metrics"
BODY = {"instances": [1, 2]}
SERVING = ":tensorflow:serving:"
BATCHING = ":tensorflow:serving:batching_session:"
LOADER = ":tensorflow:cc:saved_model:"
CORE = ":tensorflow:core:"
HISTOGRAMS = {
    *(SERVING + n for n in ("request_latency", "runtime_latency", "request_example_counts")),
    SERVING + "model_warmup_latency",
    *(BATCHING + n for n in ("queuing_latency", "padding_size")),
    *(BATCHING + n for n in ("input_batch_size", "processed_batch_size")),
}
COUNTERS = {
    *(SERVING + n for n in ("request_count", "request_example_count_total", "request_log_count")),
    SERVING + "model_warmup_records_read",
    BATCHING + "wrapped_run_count",
    *(LOADER + n for n in ("load_attempt_count", "load_latency")),
    *(CORE + n for n in ("graph_runs", "graph_run_time_usecs")),
}
BATCH = BatchDone(
    executor="cpu:0",
    rows=3,
    padded_rows=4,
    items=2,
    queue_waits=(0.001, 0.002),
    assembly_seconds=0.5,
    run_seconds=0.25,
    padding_ratio=0.25,
    reruns=2,
    failed_items=0,
)


class Page:
    """An exposition, read by Prometheus' own parser."""

    def __init__(self, text: bytes) -> None:
        self.lines = text.decode().splitlines()
        self.samples = [
            sample
            for family in text_string_to_metric_families(text.decode())
            for sample in family.samples
        ]

    def types(self) -> dict[str, str]:
        heads = [line.split() for line in self.lines if line.startswith("#")]
        assert all(head[:2] == ["#", "TYPE"] for head in heads)
        return {name: kind for _, _, name, kind in heads}

    def value(self, name: str, **labels: str) -> float:
        """Of the one line of ``name`` with these labels; the parser adds ``_total``."""
        names = {name, f"{name}_total"}
        (found,) = [s.value for s in self.samples if s.name in names and s.labels == labels]
        return float(found)

    def label_values(self, label: str) -> set[str]:
        return {s.labels[label] for s in self.samples if label in s.labels}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    contents: dict[str, Content] = {"m": FakeSignature(), "r": regressor()}
    async with serving_fakes(tmp_path, contents) as client:
        yield client


async def page(client: Client) -> Page:
    answer = await client.get(PATH)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return Page(answer.body)


async def test_every_name_is_there_from_the_start(client: Client) -> None:
    kinds = dict.fromkeys(HISTOGRAMS, "histogram") | dict.fromkeys(COUNTERS, "counter")
    assert (await page(client)).types() == kinds


async def test_requests(client: Client) -> None:
    for _ in range(3):
        await client.predict("m", BODY)
    await client.predict("m", {"instances": [-1]})
    await client.get("/v1/models/m")
    await client.get("/v1/models/m/metadata")
    found = await page(client)
    count = SERVING + "request_count"
    assert found.value(count, model_name="m", status="OK") == 5
    assert found.value(count, model_name="m", status="INVALID_ARGUMENT") == 1
    latency = SERVING + "request_latency"
    for api, number in (("predict", 3), ("status", 1), ("metadata", 1)):
        labels = {"model_name": "m", "API": api, "entrypoint": "REST"}
        assert found.value(f"{latency}_count", **labels) == number
        assert found.value(f"{latency}_bucket", le="+Inf", **labels) == number
        assert found.value(f"{latency}_sum", **labels) > 0
    runtime = {"model_name": "m", "API": "predict", "runtime": "TF1"}
    assert found.value(SERVING + "runtime_latency_count", **runtime) == 3


async def test_examples(client: Client) -> None:
    body = json.dumps({"examples": [{"x": 1.5}] * 3})
    await client.ask("POST", "/v1/models/r:regress", data=body)
    await client.predict("m", BODY)
    found = await page(client)
    assert found.value(SERVING + "request_example_count_total", model="r") == 3
    assert found.value(SERVING + "request_example_counts_sum", model="r") == 3
    assert found.value(SERVING + "request_example_counts_bucket", model="r", le="2") == 0
    assert found.value(SERVING + "request_example_counts_bucket", model="r", le="4") == 1
    assert found.label_values("model") == {"r"}


async def test_batches_and_loads(client: Client, tmp_path: Path) -> None:
    await client.predict("m", BODY)
    await client.predict("m", BODY)
    found = await page(client)
    assert found.value(CORE + "graph_runs") == 2
    assert found.value(CORE + "graph_run_time_usecs") > 0
    assert found.value(BATCHING + "wrapped_run_count") == 2
    assert found.value(BATCHING + "input_batch_size_sum") == 4
    path = str(tmp_path / "m" / "1")
    assert found.value(LOADER + "load_attempt_count", model_path=path, status="success") == 1
    assert found.value(LOADER + "load_latency", model_path=path) > 0


async def test_strangers_cannot_add_labels(client: Client) -> None:
    for number in range(20):
        await client.predict(f"model-{number}", BODY)
        await client.get(f"/v1/models/model-{number}")
        await client.get(f"/v1/nonsense/{number}")
    found = await page(client)
    assert found.label_values("model_name") == {""}
    assert found.value(SERVING + "request_count", model_name="", status="NOT_FOUND") == 40
    assert found.value(SERVING + "request_count", model_name="", status="INVALID_ARGUMENT") == 20


async def test_another_path_or_none(tmp_path: Path) -> None:
    contents: dict[str, Content] = {"m": FakeSignature()}
    async with serving_fakes(tmp_path, contents, monitoring_path="/v1/Numbers") as client:
        assert (await client.get("/v1/Numbers")).body.startswith(b"# TYPE :tensorflow:")
        assert (await client.get(PATH)).status == 404
    async with serving_fakes(tmp_path, contents, monitoring_path="") as client:
        assert (await client.get(PATH)).status == 404
        assert (await client.get("/metrics")).status == 200


def test_a_batch() -> None:
    metrics = TfServingMetrics()
    metrics.batch(BATCH)
    metrics.batch(BatchReleased(ReleaseReason.FULL, 3, 2, 0.1, "cpu:0"))
    found = Page(metrics.render())
    assert found.value(BATCHING + "queuing_latency_count") == 2
    assert found.value(BATCHING + "queuing_latency_sum") == pytest.approx(3000)
    assert found.value(BATCHING + "padding_size_sum") == 1
    assert found.value(BATCHING + "input_batch_size_sum") == 3
    assert found.value(BATCHING + "processed_batch_size_sum") == 4
    assert found.value(BATCHING + "wrapped_run_count") == 3
    assert found.value(CORE + "graph_runs") == 3
    assert found.value(CORE + "graph_run_time_usecs") == 250_000


def test_what_other_parts_tell() -> None:
    metrics = TfServingMetrics()
    path = PurePath("/models/m/1")
    metrics.load(path, "OK", 1.5)
    metrics.load(path, "DATA_LOSS", 0.5)
    metrics.warmup(path, "OK", 0.002, 7)
    metrics.request_logged("m", "OK")
    found = Page(metrics.render())
    attempts = LOADER + "load_attempt_count"
    assert found.value(attempts, model_path=str(path), status="success") == 1
    assert found.value(attempts, model_path=str(path), status="fail") == 1
    assert found.value(LOADER + "load_latency", model_path=str(path)) == 2_000_000
    labels = {"model_path": str(path), "status": "OK"}
    assert found.value(SERVING + "model_warmup_latency_sum", **labels) == 2000
    assert found.value(SERVING + "model_warmup_records_read", **labels) == 7
    assert found.value(SERVING + "request_log_count", model_name="m", status_code="OK") == 1


def test_buckets_of_a_latency() -> None:
    metrics = TfServingMetrics()
    metrics.request("m", "OK", "predict", 18e-6)
    found = Page(metrics.render())
    name = SERVING + "request_latency_bucket"
    limits = [s.labels["le"] for s in found.samples if s.name == name]
    assert len(limits) == 34
    assert limits[:4] == ["10", "18", "32.4", "58.32"]
    assert limits[-1] == "+Inf"
    numbers = [float(s.value) for s in found.samples if s.name == name]
    assert numbers == sorted(numbers)


def test_the_exact_form() -> None:
    metrics = TfServingMetrics()
    metrics.request('a "quoted" \\ name\n', "NOT_FOUND", "predict", 1)
    found = Page(metrics.render())
    line = ':tensorflow:serving:request_count{model_name="a \\"quoted\\" \\\\ name\\n",'
    assert f'{line}status="NOT_FOUND"}} 1' in found.lines
    assert found.label_values("model_name") == {'a "quoted" \\ name\n'}
    assert SERVING + "request_latency" in found.types()
    assert not [s for s in found.samples if s.name.startswith(SERVING + "request_latency")]
