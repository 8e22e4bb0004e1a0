"""Predict, classify and regress on aiohttp: from the request's body to its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from aiohttp import web

from batching import BatchingError, Item
from gateway.errors import ServingError
from gateway.http.binary import inference_response, with_binary
from gateway.http.body import read_body
from gateway.http.call import Call, Calls, InferenceApi
from gateway.http.large import LARGE_BODY_BYTES, is_large
from gateway.http.paths import ModelPath
from gateway.http.timing import server_timing, wants_timing

P = ParamSpec("P")
T = TypeVar("T")


class InferenceHandler:
    """Decodes, lets the batcher run it, encodes."""

    def __init__(
        self,
        calls: Calls,
        apis: Mapping[str, InferenceApi[Any]],
        codec: ThreadPoolExecutor,
        *,
        max_body_bytes: int,
        timeout: float,
        always_timing: bool,
        check_method_names: bool = False,
    ) -> None:
        """``apis`` by verb. ``codec`` decodes and encodes what is large."""
        self._calls = calls
        self._apis = apis
        self._codec = codec
        self._max_body_bytes = max_body_bytes
        self._timeout = timeout
        self._always_timing = always_timing
        self._check_method_names = check_method_names

    async def __call__(self, request: web.BaseRequest, path: ModelPath) -> web.Response:
        """Answer a request. Raises ServingError; order of checks as TF Serving's: JSON, model,
        signature, values. The version that was found stays loaded until the answer is there."""
        started = time.monotonic()
        api = self._apis[path.verb]
        if path.verb == "predict":
            api = with_binary(api, request.headers, check_method_names=self._check_method_names)
        refused = self._calls.refusal(path)
        if refused is not None:
            raise refused
        raw = await read_body(request, self._max_body_bytes, self._timeout)
        if len(raw) > LARGE_BODY_BYTES:
            call = await self._open_large(api, path, raw, started)
        else:
            call = self._calls.open(api, path, raw, started)
        try:
            item, answer = await self._run(call)
        finally:
            call.servable.release()
        response = inference_response(api, answer)
        if self._always_timing or wants_timing(request.headers):
            response.headers["Server-Timing"] = server_timing(item)
        return response

    async def _open_large(
        self, api: InferenceApi[Any], path: ModelPath, raw: bytes, started: float
    ) -> Call:
        body = await self._on_thread(api.parse, raw)
        call = self._calls.begin(api, path, raw, body, started)
        try:
            call.inputs = await self._on_thread(api.decode, body, call.queue)
        except BaseException:
            call.servable.release()
            raise
        return call

    async def _run(self, call: Call) -> tuple[Item, bytes]:
        try:
            item = await self._answered(call)
            outputs = item.result()
            if is_large(outputs):
                answer = await self._on_thread(call.encode, outputs)
            else:
                answer = call.encode(outputs)
        except Exception as error:
            self._calls.tell_failure(call, error)
            raise
        self._calls.tell_answer(call, outputs, answer)
        return item, answer

    async def _answered(self, call: Call) -> Item:
        try:
            item = self._calls.submit(call)
            await item
        except (BatchingError, ServingError) as error:
            refused = self._calls.failed(call, error)
            if refused is error:
                raise
            raise refused from error
        self._calls.answered(call, item)
        return item

    async def _on_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._codec, lambda: function(*args, **kwargs))
