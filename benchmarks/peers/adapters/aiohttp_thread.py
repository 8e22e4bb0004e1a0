"""The obvious handler: aiohttp, orjson, and the model called in a thread. No batching."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import orjson
import uvloop
from aiohttp import web

from benchmarks.peers.adapters.saved_model import HOST, port, saved_model


def make_app() -> web.Application:
    model = saved_model()
    # One thread: on one core more of them only get in each other's way.
    pool = ThreadPoolExecutor(1)

    async def predict(request: web.Request) -> web.Response:
        rows = orjson.loads(await request.read())["instances"]
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(pool, model.predict, rows)
        body = orjson.dumps({"predictions": answers})
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/predict", predict)
    return app


def main() -> None:
    web.run_app(
        make_app(),
        host=HOST,
        port=port(),
        access_log=None,
        print=None,
        shutdown_timeout=1.0,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
