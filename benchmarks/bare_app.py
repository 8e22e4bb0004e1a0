"""The reference server: aiohttp that parses and answers, with no model and no batching.

``python -m benchmarks.bare_app --port N`` answers the demo model's predict requests with
y = x / 2 + 2 computed in Python; with ``--row JSON`` any request, with that row for each row asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import orjson
import uvloop
from aiohttp import web

Answers = Callable[[list[Any]], list[Any]]


async def readyz(request: web.Request) -> web.Response:
    return web.Response(body=b"{}", content_type="application/json")


def half_plus_two(rows: list[Any]) -> list[Any]:
    return [x / 2 + 2 for x in rows]


def make_app(answers: Answers = half_plus_two) -> web.Application:
    """An application with the two routes that the benchmark needs."""

    async def predict(request: web.Request) -> web.Response:
        rows = orjson.loads(await request.read())["instances"]
        body = orjson.dumps({"predictions": answers(rows)})
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/models/{name}:predict", predict)
    app.router.add_get("/readyz", readyz)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare_app")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--row", type=orjson.loads, help="the answer to any row")
    options = parser.parse_args()
    row = options.row
    web.run_app(
        make_app(half_plus_two if row is None else lambda rows: [row] * len(rows)),
        host="127.0.0.1",
        port=options.port,
        access_log=None,
        print=None,
        shutdown_timeout=1.0,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
