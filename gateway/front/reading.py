"""Which requests a front reads, and what it makes of them."""

from __future__ import annotations

from typing import NamedTuple

from batching import Inputs
from gateway.codecs.predict_json import Form, decode_inputs, parse_predict
from gateway.front.table import ReadableSignature, Route
from gateway.http.binary import accepts_binary, is_binary
from gateway.http.hot.head import MAX_JSON_BYTES, Head


class ReadRequest(NamedTuple):
    """What a body asks for."""

    form: Form
    signature: ReadableSignature
    inputs: Inputs


def is_json(head: Head) -> bool:
    """Whether request and answer are JSON. Raw tensors need no reading: the engine may as well
    have them as they are."""
    fields = head.binary
    return fields is None or not (is_binary(fields) or accepts_binary(fields))


def read(route: Route, body: bytes) -> ReadRequest | None:
    """What a body asks of a route; None when it names a signature that cannot be read here.
    Raises ServingError."""
    parsed = parse_predict(body)
    signature = route.get(parsed.signature_name)
    if signature is None:
        return None
    known = signature.known
    inputs = decode_inputs(parsed, known.signature, known.optional)
    return ReadRequest(parsed.form, signature, inputs)


def is_passable(head: Head) -> bool:
    """Whether the engine reads such a request on its event loop, as it does on a port of its
    own."""
    return head.body_bytes <= MAX_JSON_BYTES or not is_json(head)
