"""POST /v1/models/NAME[/versions/N]:predict"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aiohttp import web

from batching import BatchingError, Item, Outputs
from gateway.backends.base import Signature
from gateway.codecs.predict_json import PredictBody, decode_inputs, encode_outputs, parse_predict
from gateway.errors import invalid_argument
from gateway.http.body import read_body
from gateway.http.paths import ModelPath
from gateway.http.responses import json_bytes
from gateway.http.timing import server_timing
from gateway.models.registry import Registry
from gateway.models.servable import SignatureQueue
from gateway.translation import serving_error

T = TypeVar("T")

LARGE_BODY_BYTES = 64 * 1024
"""Above this a body is decoded on a thread, so that other connections get turns in between."""
LARGE_OUTPUT_VALUES = 16 * 1024
"""Above this many numbers an answer is encoded on a thread."""


class PredictHandler:
    """Decodes, lets the batcher run it, encodes."""

    def __init__(
        self,
        registry: Registry,
        *,
        max_body_bytes: int,
        timeout: float,
        always_timing: bool,
    ) -> None:
        self._registry = registry
        self._max_body_bytes = max_body_bytes
        self._timeout = timeout
        self._always_timing = always_timing
        self._codec = ThreadPoolExecutor(1, thread_name_prefix="codec")

    async def __call__(self, request: web.BaseRequest, path: ModelPath) -> web.Response:
        """Answer a predict request. Raises ServingError; order of checks as TF Serving's: JSON,
        model, signature, values."""
        deadline = time.monotonic() + self._timeout
        body = await read_body(request, self._max_body_bytes, self._timeout)
        large = len(body) > LARGE_BODY_BYTES
        predict = await self._work(large, lambda: parse_predict(body))
        queue = self._queue(path, predict)
        signature = queue.signature
        inputs = await self._work(
            large, lambda: decode_inputs(predict, signature, queue.optional_inputs)
        )
        try:
            item = queue.submit(inputs, deadline)
            outputs = await item
        except BatchingError as error:
            raise serving_error(error) from error
        return await self._respond(request, predict, signature, item, outputs)

    def close(self) -> None:
        self._codec.shutdown(wait=False, cancel_futures=True)

    def _queue(self, path: ModelPath, body: PredictBody) -> SignatureQueue:
        servable = self._registry.resolve(path.name, path.version, path.label)
        queue = servable.queues.get(body.signature_name)
        if queue is None:
            raise invalid_argument(
                f'Serving signature name: "{body.signature_name[:256]}" not found in signature def'
            )
        return queue

    async def _respond(
        self,
        request: web.BaseRequest,
        body: PredictBody,
        signature: Signature,
        item: Item,
        outputs: Outputs,
    ) -> web.Response:
        large = sum(output.size for output in outputs.values()) > LARGE_OUTPUT_VALUES
        encoded = await self._work(large, lambda: encode_outputs(outputs, signature, body.form))
        response = json_bytes(encoded)
        if self._always_timing or _wants_timing(request):
            response.headers["Server-Timing"] = server_timing(item)
        return response

    async def _work(self, large: bool, function: Callable[[], T]) -> T:
        if not large:
            return function()
        return await asyncio.get_running_loop().run_in_executor(self._codec, function)


def _wants_timing(request: web.BaseRequest) -> bool:
    asked = request.headers.get("X-Server-Timing") or request.headers.get("Server-Timing")
    return asked is not None and asked.strip().lower() not in ("0", "false", "")
