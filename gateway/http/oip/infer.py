"""POST /v2/models/NAME[/versions/N]/infer"""

from __future__ import annotations

import re
import time

from aiohttp import web

from gateway.errors import invalid_argument
from gateway.http.body import read_body
from gateway.http.large import LARGE_BODY_BYTES
from gateway.http.oip.compression import LEAST_BYTES, choose_encoding, compress
from gateway.http.oip.paths import Target
from gateway.oip.inference import Arrival
from gateway.oip.messages import InferRequest, InferResponse
from gateway.oip.request_json import parse_request
from gateway.oip.response_json import encode_response
from gateway.oip.service import OipService

HEAD_LENGTH = "Inference-Header-Content-Length"

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


class InferHandler:
    """Reads a request, lets the service answer it, writes the answer."""

    def __init__(self, service: OipService, *, max_body_bytes: int, timeout: float) -> None:
        """``timeout`` in seconds, for the body to arrive and for the answer."""
        self._service = service
        self._run_codec = service.inference.run_codec
        self._max_body_bytes = max_body_bytes
        self._timeout = timeout

    async def __call__(self, request: web.BaseRequest, target: Target) -> web.Response:
        """Raises ServingError. No header is needed but that of binary tensors."""
        started = time.monotonic()
        head_bytes = _head_bytes(request.headers.get(HEAD_LENGTH))
        body = await read_body(request, self._max_body_bytes, self._timeout)
        message = await self._message(body, target, head_bytes)
        encoder = _Encoder(message)
        answer = await self._service.infer(
            message,
            Arrival(encode=encoder, started=started, deadline=started + self._timeout, body=body),
        )
        headers = encoder.headers()
        encoding = choose_encoding(request.headers.get("Accept-Encoding", ""))
        if encoding and len(answer) >= LEAST_BYTES:
            headers["Content-Encoding"] = encoding
            large = len(answer) > LARGE_BODY_BYTES
            answer = await self._run_codec(large, compress, answer, encoding)
        return web.Response(body=answer, headers=headers)

    async def _message(self, body: bytes, target: Target, head_bytes: int | None) -> InferRequest:
        if head_bytes == 0:
            return self._service.raw_request(target.model, target.version, body)
        large = len(body) > LARGE_BODY_BYTES
        arguments = (body, target.model, target.version, head_bytes)
        return await self._run_codec(large, parse_request, *arguments)


class _Encoder:
    """Makes one answer's body, and knows its headers afterwards."""

    def __init__(self, request: InferRequest) -> None:
        self._request = request
        self._head_bytes: int | None = None

    def __call__(self, response: InferResponse) -> bytes:
        binary = self._request.parameters.get("binary_data_output") is True
        body, self._head_bytes = encode_response(response, binary=binary)
        return body

    def headers(self) -> dict[str, str]:
        if self._head_bytes is None:
            return {"Content-Type": "application/json"}
        return {
            "Content-Type": "application/octet-stream",
            HEAD_LENGTH: str(self._head_bytes),
        }


def _head_bytes(header: str | None) -> int | None:
    """None without the header. Raises ServingError for one that is no number."""
    if header is None:
        return None
    if not _NUMBER.fullmatch(header):
        raise invalid_argument(f"{HEAD_LENGTH} must be a number of bytes, got '{header[:64]}'")
    return int(header)
