"""Ray Serve: one proxy, one replica, ``@serve.batch``."""

from __future__ import annotations

import signal
from typing import Any

import orjson
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.peers.adapters.saved_model import (
    HOST,
    MAX_BATCH_SIZE,
    MAX_WAIT_SECONDS,
    port,
    saved_model,
)

MAX_ONGOING_REQUESTS = 1024


class Predict:
    def __init__(self) -> None:
        self._model = saved_model()

    @serve.batch(max_batch_size=MAX_BATCH_SIZE, batch_wait_timeout_s=MAX_WAIT_SECONDS)
    async def predict(self, rows: list[Any]) -> list[Any]:
        return self._model.predict(rows)

    async def __call__(self, request: Request) -> Response:
        row = orjson.loads(await request.body())["instances"][0]
        answer = await self.predict(row)
        body = orjson.dumps({"predictions": [answer]})
        return Response(body, media_type="application/json")


def main() -> None:
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        configure_logging=False,
        log_to_driver=False,
        _node_ip_address=HOST,
        object_store_memory=256 * 2**20,
    )
    serve.start(http_options={"host": HOST, "port": port()})
    deployment: Any = serve.deployment(
        Predict,
        num_replicas=1,
        max_ongoing_requests=MAX_ONGOING_REQUESTS,
        ray_actor_options={"num_cpus": 0.1},
    )
    serve.run(deployment.bind(), route_prefix="/predict")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
