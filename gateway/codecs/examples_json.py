"""The JSON body of REST classify and regress: JSON objects to serialized tf.Examples.

The rules are TF Serving's (json_tensor), but for one: a whole number for a feature that the model
reads as floats is a float.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.backends.base import FeatureKind
from gateway.codecs.json_parse import parse_object
from gateway.codecs.json_text import json_type, quote, quote_keys
from gateway.codecs.json_values import decode_base64, is_base64
from gateway.codecs.predict_json import DEFAULT_SIGNATURE
from gateway.errors import ServingError, invalid_argument
from gateway.protos.tensors import Example

_MAX_INT64 = 2**63 - 1
_KINDS: Mapping[type, FeatureKind] = {bool: "int64", int: "int64", float: "float", str: "bytes"}
_LONGEST_NAME = 256
"""Characters of a feature's name that a message shows."""


@dataclass(frozen=True, slots=True)
class ExamplesBody:
    """A classify or regress request before its model is known."""

    signature_name: str
    context: dict[str, Any] | None
    """Features that all examples share; None when there is no such key."""
    examples: list[dict[str, Any]]
    """At least one."""


def parse_examples(body: bytes | bytearray | memoryview) -> ExamplesBody:
    """Check what needs no model: the JSON and its keys, that each example is an object.

    No signature name, or an empty one, means ``serving_default``. Raises ServingError
    (INVALID_ARGUMENT).
    """
    document = parse_object(body)
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise invalid_argument(
            f"JSON Value: {quote(document)} not formatted correctly."
            f" 'signature_name' key must be a string value. (got {quote(name)})"
        )
    context = _checked(document["context"], "context") if "context" in document else None
    examples = _checked_list(document)
    for index, example in enumerate(examples):
        _checked(example, f"example {index}")
    return ExamplesBody(name or DEFAULT_SIGNATURE, context, examples)


def encode_examples(body: ExamplesBody, features: Mapping[str, FeatureKind]) -> NDArray[Any]:
    """One serialized tf.Example for each example, as an object array of ``bytes``, shape ``[n]``.

    ``features`` is what the model's graph reads, empty when unknown. Numbers with a fraction or an
    exponent, NaN and infinities are floats (beyond float32: infinite), whole numbers and booleans
    int64, strings and base64 objects bytes. The context comes first in the bytes: of equal keys of
    a map the last counts, so an example's own feature wins. Raises ServingError
    (INVALID_ARGUMENT) naming the feature.
    """
    context = _serialized(body.context, features, "context") if body.context else b""
    serialized = np.empty(len(body.examples), object)
    serialized[:] = [
        context + _serialized(example, features, f"example {index}")
        for index, example in enumerate(body.examples)
    ]
    return serialized


def _checked(example: Any, where: str) -> dict[str, Any]:
    if type(example) is not dict:
        raise invalid_argument(
            f"Example must be JSON object but got JSON {json_type(example)}"
            f" ({where}: {quote(example)})"
        )
    return example


def _checked_list(document: dict[str, Any]) -> list[dict[str, Any]]:
    start = f"JSON Value: {quote(document)}"
    if "examples" not in document:
        raise invalid_argument(
            f"{start} When method is classify or regress, key 'examples' is expected and was not"
            f" found (got: {quote_keys(document)})"
        )
    examples = document["examples"]
    if type(examples) is not list:
        raise invalid_argument(
            f"{start} Expecting 'examples' value to be an list/array (got {json_type(examples)})"
        )
    if not examples:
        raise invalid_argument(f"{start} 'examples' value is an empty array")
    return examples


def _serialized(example: dict[str, Any], features: Mapping[str, FeatureKind], where: str) -> bytes:
    proto = Example()
    by_name = proto.features.feature
    for name, value in example.items():
        values = value if type(value) is list else [value]
        read_as_float = features.get(name) == "float"
        if not _fill(by_name[name], values, read_as_float=read_as_float):
            raise _fault(name, values, where, read_as_float=read_as_float)
    serialized: bytes = proto.SerializeToString()
    return serialized


def _fill(feature: Any, values: list[Any], *, read_as_float: bool) -> bool:
    """Put ``values`` into the list of their kind; False when they have none in common.

    No values at all leave the feature without a kind.
    """
    types = set(map(type, values))
    if not types:
        return True
    if types == {float} or (read_as_float and types <= {int, float}):
        feature.float_list.value.extend(values)
        return True
    if types <= {int, bool} and max(values) <= _MAX_INT64:
        feature.int64_list.value.extend(map(int, values) if bool in types else values)
        return True
    if types <= {str, dict}:
        return _fill_bytes(feature, values)
    return False


def _fill_bytes(feature: Any, values: Iterable[Any]) -> bool:
    try:
        feature.bytes_list.value.extend([_bytes(value) for value in values])
    except ValueError:
        return False
    return True


def _bytes(value: Any) -> bytes:
    """Raises ValueError for what is neither text nor base64."""
    if type(value) is str:
        return value.encode()
    if is_base64(value):
        return decode_base64(value["b64"])
    raise ValueError


def _fault(name: str, values: list[Any], where: str, *, read_as_float: bool) -> ServingError:
    """The first fault of ``values`` in reading order."""
    name = name[:_LONGEST_NAME]
    first: FeatureKind | None = None
    for value in values:
        kind = _kind(value, read_as_float=read_as_float)
        if kind is None:
            phrase = f"Feature: {name} has element with unexpected JSON type: {json_type(value)}"
        elif first not in (None, kind):
            phrase = f"Unexpected element type in feature: {name} expecting type: {first}"
        else:
            phrase = _value_fault(name, value, kind)
            first = kind
        if phrase:
            return invalid_argument(f"{phrase} ({where}, got {quote(value)})")
    return invalid_argument(f"Feature: {name} cannot be read ({where})")


def _kind(value: Any, *, read_as_float: bool) -> FeatureKind | None:
    if type(value) is int and read_as_float:
        return "float"
    return "bytes" if is_base64(value) else _KINDS.get(type(value))


def _value_fault(name: str, value: Any, kind: FeatureKind) -> str:
    if kind == "int64" and value > _MAX_INT64:
        return f"Feature: {name} has uint64 element. Only int64 is supported."
    if kind == "bytes":
        try:
            _bytes(value)
        except ValueError:
            return f"Feature: {name}: Unable to base64 decode"
    return ""
