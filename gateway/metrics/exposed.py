"""Counts that other parts keep, shown among the metrics."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.metrics.registry import Metrics
from gateway.models.registry import Registry
from gateway.models.shadow import Shadow
from gateway.request_log import RequestLog


def expose(metrics: Metrics, shadow: Shadow, log: RequestLog, registry: Registry) -> None:
    """Values are read at scrape time, on the scrape's thread."""

    def shadows() -> Mapping[tuple[str, ...], float]:
        return {(m, str(v), result.value): n for (m, v, result), n in list(shadow.counts.items())}

    def entries() -> Mapping[tuple[str, ...], float]:
        return {
            (model, result): number
            for model, counts in log.counts.items()
            for result, number in (
                ("written", counts.written),
                ("dropped", counts.dropped),
                ("failed", counts.failed),
            )
        }

    def reloads() -> Mapping[tuple[str, ...], float]:
        status = registry.configuration
        return {("taken",): status.generation - 1, ("refused",): status.refused}

    metrics.expose_counter(
        "shadow_requests",
        "Copies of requests that a shadow version ran, by how its answers compare.",
        ("model", "version", "result"),
        shadows,
    )
    metrics.expose_counter(
        "request_log_entries", "Requests for the request log.", ("model", "result"), entries
    )
    metrics.expose_counter(
        "config_reloads", "Configurations read while serving.", ("result",), reloads
    )
