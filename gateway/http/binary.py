"""Predict with tensors as raw bytes, in, out or both (``docs/binary-predict.md``).

A request that says ``Content-Type: application/octet-stream`` brings them, one that says
``Accept: application/octet-stream`` gets them; the other direction stays JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from batching import Inputs, Outputs
from gateway.backends.base import Signature
from gateway.codecs.binary import (
    TensorHead,
    check_outputs,
    decode,
    encode,
    format_heads,
    parse_heads,
)
from gateway.codecs.predict_json import DEFAULT_SIGNATURE, Form, encode_outputs
from gateway.codecs.results_json import check_method_name
from gateway.errors import ServingError, invalid_argument
from gateway.http.responses import json_bytes

if TYPE_CHECKING:
    # Fronts read heads with this module, and know nothing of models.
    from gateway.exchange import Api
    from gateway.http.call import InferenceApi, ParsedBody
    from gateway.models.servable import SignatureQueue

OCTET_STREAM = "application/octet-stream"
TENSOR_NAME, TENSOR_DTYPE, TENSOR_SHAPE = "X-Tensor-Name", "X-Tensor-Dtype", "X-Tensor-Shape"
SIGNATURE_NAME = "X-Signature-Name"

_REFUSED = re.compile(r";\s*q=0(?:\.0*)?\s*(?:;|\Z)", re.IGNORECASE)
"""A weight of 0 (RFC 9110, 12.4.2)."""

Headers = Mapping[str, str]
"""Keys are compared without regard to case, as aiohttp's are."""


@dataclass(frozen=True, slots=True)
class BinaryBody:
    """A predict request whose tensors are raw bytes, before its model is known."""

    signature_name: str
    heads: list[TensorHead]
    data: bytes


def is_binary(headers: Headers) -> bool:
    """Whether the body is tensors as raw bytes: it says so, and has a header that describes them.

    A type alone means nothing: TF Serving ignores it, and there are clients that send JSON so.
    """
    if _media_type(headers.get("Content-Type", "")) != OCTET_STREAM:
        return False
    return TENSOR_DTYPE in headers or TENSOR_SHAPE in headers


def accepts_binary(headers: Headers) -> bool:
    """Whether the client asks for them: it must name the type, ``*/*`` means JSON."""
    return any(
        _media_type(wanted) == OCTET_STREAM and not _REFUSED.search(wanted)
        for wanted in headers.get("Accept", "").split(",")
    )


def decode_request(headers: Headers, body: bytes) -> BinaryBody:
    """Check what needs no model. Raises ServingError (INVALID_ARGUMENT)."""
    dtype, shape = headers.get(TENSOR_DTYPE), headers.get(TENSOR_SHAPE)
    if dtype is None or shape is None:
        missing = TENSOR_DTYPE if dtype is None else TENSOR_SHAPE
        raise invalid_argument(f"a body of type {OCTET_STREAM} needs the header {missing}")
    heads = parse_heads(headers.get(TENSOR_NAME), dtype, shape)
    return BinaryBody(headers.get(SIGNATURE_NAME) or DEFAULT_SIGNATURE, heads, body)


def encode_response(outputs: Outputs, signature: Signature) -> tuple[dict[str, str], bytes]:
    """Headers and body of an answer. Raises ServingError (INVALID_ARGUMENT)."""
    heads, body = encode(outputs, signature)
    names = (TENSOR_NAME, TENSOR_DTYPE, TENSOR_SHAPE)
    texts = format_heads(heads)
    return {"Content-Type": OCTET_STREAM} | dict(zip(names, texts, strict=True)), body


def with_binary(
    api: InferenceApi[Any], headers: Headers, *, check_method_names: bool = False
) -> InferenceApi[Any]:
    """The predict ``api`` for a request with these headers: ``api`` itself when all is JSON.

    ``check_method_names`` as for ``PredictApi``.
    """
    binary_in, binary_out = is_binary(headers), accepts_binary(headers)
    if not (binary_in or binary_out):
        return api
    predict = BinaryPredict(api, headers, binary_in=binary_in, binary_out=binary_out)
    predict.check_method_names = check_method_names
    return predict


def inference_response(api: InferenceApi[Any], answer: bytes) -> web.Response:
    """The answer that ``api`` has encoded, with the headers that belong to it."""
    if isinstance(api, BinaryPredict) and api.answer_headers:
        return web.Response(body=answer, headers=api.answer_headers)
    return json_bytes(answer)


class BinaryPredict:
    """Predict for one request, of which at least one direction is binary."""

    name: Api = "predict"
    takes_examples = False

    def __init__(
        self, predict: InferenceApi[Any], headers: Headers, *, binary_in: bool, binary_out: bool
    ) -> None:
        self._predict = predict
        self._headers = headers
        self._in = binary_in
        self._out = binary_out
        self.check_method_names = False
        self.answer_headers: dict[str, str] = {}
        """Of a binary answer, once it is encoded."""

    def unknown_signature(self, name: str, /) -> ServingError:
        return self._predict.unknown_signature(name)

    def parse(self, body: bytes, /) -> ParsedBody:
        if self._in:
            return decode_request(self._headers, body)
        parsed: ParsedBody = self._predict.parse(body)
        return parsed

    def decode(self, body: ParsedBody, queue: SignatureQueue, /) -> Inputs:
        """Refuses outputs that have no binary form before the model runs."""
        if self._out:
            check_outputs(queue.signature)
        if isinstance(body, BinaryBody):
            if self.check_method_names:
                check_method_name(queue.signature, self.name)
            return decode(body.heads, body.data, queue.signature, queue.optional_inputs)
        return self._predict.decode(body, queue)

    def encode(
        self, body: ParsedBody, signature: Signature, inputs: Inputs, outputs: Outputs, /
    ) -> bytes:
        """JSON answers to a binary request have the column form."""
        if self._out:
            self.answer_headers, answer = encode_response(outputs, signature)
            return answer
        if isinstance(body, BinaryBody):
            return encode_outputs(outputs, signature, Form.COLUMN)
        return self._predict.encode(body, signature, inputs, outputs)


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()
