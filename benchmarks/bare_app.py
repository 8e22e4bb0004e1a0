"""The reference server: aiohttp that parses and answers, with no model and no batching.

``python -m benchmarks.bare_app --port N`` answers the demo model's predict requests with
y = x / 2 + 2 computed in Python.
"""

from __future__ import annotations

import argparse

import orjson
import uvloop
from aiohttp import web


async def predict(request: web.Request) -> web.Response:
    instances = orjson.loads(await request.read())["instances"]
    answer = orjson.dumps({"predictions": [x / 2 + 2 for x in instances]})
    return web.Response(body=answer, content_type="application/json")


async def readyz(request: web.Request) -> web.Response:
    return web.Response(body=b"{}", content_type="application/json")


def make_app() -> web.Application:
    """An application with the two routes that the benchmark needs."""
    app = web.Application()
    app.router.add_post("/v1/models/{name}:predict", predict)
    app.router.add_get("/readyz", readyz)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare_app")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    web.run_app(
        make_app(),
        host="127.0.0.1",
        port=options.port,
        access_log=None,
        print=None,
        shutdown_timeout=1.0,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
