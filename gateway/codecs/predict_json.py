"""The JSON body of REST predict, in both of TF Serving's forms.

Reading takes two steps, because TF Serving looks the model up in between: ``parse_predict`` checks
what needs no model, ``decode_inputs`` everything else.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum
from typing import Any, NamedTuple

import orjson

from gateway.backends.base import Signature, Tensors
from gateway.codecs.json_blocks import LEAST_BODY_BYTES, decode_blocks, parse_blocks
from gateway.codecs.json_columns import decode_columns
from gateway.codecs.json_encode import encode_columns, encode_rows
from gateway.codecs.json_flat import pack_row
from gateway.codecs.json_parse import parse_document
from gateway.codecs.json_rows import decode_rows
from gateway.codecs.json_text import quote, quote_keys
from gateway.errors import invalid_argument

DEFAULT_SIGNATURE = "serving_default"

_END_OF_STRING_VALUE = re.compile(rb'"[,\]}\s]')
"""Follows every string that is not a key, and seldom anything else."""


class Form(Enum):
    """Which of the two layouts a request uses, and its answer too."""

    ROW = "instances"
    COLUMN = "inputs"


_FORMS = {form.value: form for form in Form}


class PredictBody(NamedTuple):
    """A predict request before its model is known."""

    signature_name: str
    form: Form
    value: Any
    """What stands under ``instances`` or ``inputs``, as parsed."""
    numbers_only: bool
    """``value`` holds no string, true, false or null: its leaves need no look one by one."""
    text: bytes = b""
    """The body, when lists of numbers in ``value`` are still NumberBlocks; else empty."""
    refusal: str = ""
    """Why the keys are wrong. ``decode_inputs`` raises it: TF Serving looks up the model first."""


def parse_predict(body: bytes | bytearray | memoryview) -> PredictBody:
    """Check what needs no model: the JSON, that it is an object, the type of signature_name.

    No name, or an empty one, means ``serving_default`` (TF Serving). Raises ServingError
    (INVALID_ARGUMENT).
    """
    if len(body) >= LEAST_BODY_BYTES:
        text = bytes(body)
        found = parse_blocks(text)
        if found is not None and _is_simple(found.members):
            return _parsed(found.members, found.rest, plain=True, text=text)
    if isinstance(body, memoryview):
        body = bytes(body)
    return _parse_numbers(body) or _parse_whole(body)


def _parse_numbers(body: bytes | bytearray) -> PredictBody | None:
    """The commonest body at the least cost: one key, and nothing but numbers behind it."""
    # Two quotes are the key's own; true, false and null each have one of these letters, which
    # neither key has.
    if body.count(b'"') != 2 or b"l" in body or b"r" in body:
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(document) is not dict:
        return None
    for key, value in document.items():
        form = _FORMS.get(key)
        if form is not None and value:
            return PredictBody(DEFAULT_SIGNATURE, form, value, numbers_only=True)
    return None


def _parse_whole(body: bytes | bytearray) -> PredictBody:
    document, plain = parse_document(body)
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise invalid_argument(
            f"JSON Value: {quote(document)} not formatted correctly."
            f" 'signature_name' key must be a string value. (got {quote(name)})"
        )
    return _parsed(document, body, plain=plain)


def _is_simple(document: dict[str, Any]) -> bool:
    """Whether nothing is wrong with the document's keys: messages quote the document, and that one
    has lost its numbers."""
    name = document.get("signature_name", "")
    return type(name) is str and ("instances" in document) is not ("inputs" in document)


def _parsed(
    document: dict[str, Any], body: bytes | bytearray, *, plain: bool, text: bytes = b""
) -> PredictBody:
    row, column = "instances" in document, "inputs" in document
    value = document["instances"] if row else document.get("inputs")
    return PredictBody(
        document.get("signature_name") or DEFAULT_SIGNATURE,
        Form.ROW if row else Form.COLUMN,
        value,
        _is_numbers_only(body, value, plain=plain, has_name="signature_name" in document),
        text,
        _wrong_keys(document) if row is column else "",
    )


def decode_inputs(
    body: PredictBody, signature: Signature, optional: Collection[str] = ()
) -> Tensors:
    """The request's arrays by alias: C-contiguous, of the declared dtypes. Small ones come as
    ``batching.PackedInputs``, which the batcher takes without making arrays of them.

    ``optional`` inputs may be left out, in row form by all rows or by none.

    Shapes are those of the JSON; the declared ones are not enforced (TF Serving). Strings are
    object arrays of ``bytes``. Raises ServingError: INVALID_ARGUMENT, or UNIMPLEMENTED in column
    form for a dtype that JSON cannot carry.
    """
    if body.refusal:
        raise invalid_argument(body.refusal)
    specs = signature.inputs
    if body.numbers_only and len(specs) == 1 and not optional:
        [spec] = specs.values()
        packed = pack_row(body.value, spec)
        if packed is not None:
            return packed
    if optional:
        sent = _sent_aliases(body)
        specs = {a: spec for a, spec in specs.items() if a in sent or a not in optional}
    if body.text:
        rows = body.form is Form.ROW
        arrays = decode_blocks(body.value, specs, rows=rows, numbers_only=body.numbers_only)
        if arrays is not None:
            return arrays
        body = _parse_whole(body.text)
    decode = decode_rows if body.form is Form.ROW else decode_columns
    return decode(body.value, specs, numbers_only=body.numbers_only)


def encode_outputs(outputs: Tensors, signature: Signature, form: Form) -> bytes:
    """The answer's body, outputs in the order of ``signature``; one output goes without its name.

    Raises ServingError (INVALID_ARGUMENT) for a dtype that JSON cannot carry and, in row form, for
    outputs without a common 0th dimension.
    """
    encode = encode_rows if form is Form.ROW else encode_columns
    return encode(outputs, signature.outputs)


def _sent_aliases(body: PredictBody) -> Collection[str]:
    """What a request names: its columns, or the keys of its first row."""
    value = body.value
    if body.form is Form.ROW:
        value = value[0] if type(value) is list and value else None
    return value.keys() if type(value) is dict else ()


def _wrong_keys(document: dict[str, Any]) -> str:
    """The phrase against a document with both keys or neither."""
    if "inputs" in document:
        return (
            f"JSON Value: {quote(document)} Not formatted correctly expecting only one of 'inputs'"
            " or 'instances' keys to exist"
        )
    return f"Missing 'inputs' or 'instances' key (got: {quote_keys(document)})"


def _is_numbers_only(body: bytes | bytearray, value: Any, *, plain: bool, has_name: bool) -> bool:
    """Whether ``value`` has no string, true, false or null in it; ``plain`` says that there are no
    strings.

    Errs to the safe side. The single letters only make the search fast: most bodies lack them.
    """
    if not plain:
        match = _END_OF_STRING_VALUE.search(body)
        if match is not None and has_name:
            match = _END_OF_STRING_VALUE.search(body, match.end())
        if match is not None:
            return False
    start, end = 0, len(body)
    if type(value) is list:
        start, end = body.find(b"["), body.rfind(b"]")
    if body.find(b"l", start, end) >= 0 and (
        body.find(b"false", start, end) >= 0 or body.find(b"null", start, end) >= 0
    ):
        return False
    return body.find(b"r", start, end) < 0 or body.find(b"true", start, end) < 0
