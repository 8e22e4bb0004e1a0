"""A server of the demo's predict requests that fails after some of them.

``python -m tests.benchmarks.faulty_server --port N --right R``: the first R answers are right; each
later one is the right answer to another request, or with ``--status S`` has that status.
"""

from __future__ import annotations

import argparse

import orjson
from aiohttp import web

JSON = "application/json"


class FaultyServer:
    def __init__(self, right: int, status: int) -> None:
        self._right = right
        self._status = status

    async def predict(self, request: web.Request) -> web.Response:
        instances = orjson.loads(await request.read())["instances"]
        self._right -= 1
        two, status = (2, 200) if self._right >= 0 else (3, self._status)
        body = orjson.dumps({"predictions": [x / 2 + two for x in instances]})
        return web.Response(body=body, status=status, content_type=JSON)

    async def readyz(self, request: web.Request) -> web.Response:
        return web.Response(body=b"{}", content_type=JSON)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--right", type=int, required=True)
    parser.add_argument("--status", type=int, default=200)
    options = parser.parse_args()
    server = FaultyServer(options.right, options.status)
    app = web.Application()
    app.router.add_post("/v1/models/{name}:predict", server.predict)
    app.router.add_get("/readyz", server.readyz)
    web.run_app(app, host="127.0.0.1", port=options.port, print=None, shutdown_timeout=1.0)


if __name__ == "__main__":
    main()
