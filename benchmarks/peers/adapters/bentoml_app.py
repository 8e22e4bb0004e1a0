"""BentoML: its adaptive batching around one worker. It has no knob for the wait."""

from __future__ import annotations

from typing import Any

import bentoml

from benchmarks.peers.adapters.saved_model import MAX_BATCH_SIZE, saved_model

MAX_LATENCY_MS = 60_000
"""It refuses what it predicts to take longer, so not a time to wait."""


@bentoml.service(
    workers=1,
    traffic={"timeout": 60},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
class Predict:
    def __init__(self) -> None:
        self._model = saved_model()

    @bentoml.api(
        batchable=True, batch_dim=0, max_batch_size=MAX_BATCH_SIZE, max_latency_ms=MAX_LATENCY_MS
    )
    def predict(self, instances: list[Any]) -> list[Any]:
        return self._model.predict(instances)
