"""The body of REST infer: JSON, with or without binary tensors behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

import orjson

from gateway.codecs.json_blocks import LEAST_BODY_BYTES, cut_blocks, put_back
from gateway.codecs.json_numbers import NumberBlock
from gateway.codecs.json_parse import parse_object
from gateway.codecs.json_text import json_type, quote
from gateway.errors import ServingError, invalid_argument
from gateway.oip.binary import read_tensor
from gateway.oip.datatypes import check_shape, find_datatype
from gateway.oip.json_tensors import BlockRefusedError, read_data
from gateway.oip.messages import (
    MAX_ID_BYTES,
    MAX_TENSORS,
    InferInput,
    InferRequest,
    Parameter,
    Parameters,
    RequestedOutput,
    shared_memory_range,
)

_NO_PARAMETERS: Parameters = {}
_NAME_KEY = re.compile(rb'"name"\s*:')


def parse_request(
    body: bytes, model_name: str, model_version: str = "", head_bytes: int | None = None
) -> InferRequest:
    """The request that ``body`` is; its first ``head_bytes`` are JSON, None: all of it.

    Arrays are views of ``body`` where they can be. Raises ServingError (INVALID_ARGUMENT) naming
    the tensor.
    """
    if head_bytes is not None and not 0 < head_bytes <= len(body):
        raise invalid_argument(
            f"Inference-Header-Content-Length is {head_bytes}, but the body has {len(body)} bytes"
        )
    head = body if head_bytes is None else body[:head_bytes]
    _refuse_masses(head)
    binary = memoryview(body)[len(head) :]
    document = _parse_with_blocks(head) if len(head) >= LEAST_BODY_BYTES else None
    if document is not None:
        try:
            return _request(document, binary, model_name, model_version)
        except BlockRefusedError:
            pass
    return _request(parse_object(head), binary, model_name, model_version)


def parse_parameters(members: Mapping[str, Any], what: str) -> Parameters:
    """The member ``parameters``: strings, numbers and booleans by name. Raises ServingError."""
    parameters = members.get("parameters", _NO_PARAMETERS)
    if type(parameters) is not dict:
        if parameters is _NO_PARAMETERS:
            return parameters
        raise invalid_argument(f"{what}: parameters must be an object, got {quote(parameters)}")
    for key, value in parameters.items():
        if type(value) not in (str, int, float, bool):
            raise invalid_argument(
                f"{what}: parameter {quote(key)} must be a string, a number or a boolean,"
                f" got {json_type(value)}"
            )
    return parameters


def _refuse_masses(head: bytes) -> None:
    """Refuse far too many tensors before they are parsed, which nothing can interrupt. Only a key
    of an object can look like this: in a string its quotes would be escaped."""
    most = 2 * MAX_TENSORS
    if head.count(b'"name"') <= most:
        return
    if sum(1 for _ in islice(_NAME_KEY.finditer(head), most + 1)) > most:
        raise invalid_argument(
            f"more than {MAX_TENSORS} inputs or {MAX_TENSORS} outputs in one request"
        )


def _parse_with_blocks(head: bytes) -> dict[str, Any] | None:
    """The document with NumberBlocks as ``data``; None where it takes another parser."""
    found = cut_blocks(head)
    if found is None:
        return None
    pieces, blocks = found
    try:
        document = orjson.loads(b'"'.join(pieces))
    except orjson.JSONDecodeError:
        return None
    inputs = document.get("inputs") if type(document) is dict else None
    if type(inputs) is not list:
        return None
    objects = [one for one in inputs if type(one) is dict]
    restored = sum(put_back(one, blocks) for one in objects)
    data = sum(type(one.get("data")) is NumberBlock for one in objects)
    return document if restored == data == len(blocks) else None


def _request(
    document: Mapping[str, Any], binary: memoryview, model_name: str, model_version: str
) -> InferRequest:
    request_id = document.get("id", "")
    if type(request_id) is not str or len(request_id) > MAX_ID_BYTES:
        raise invalid_argument(
            f"id must be a string of at most {MAX_ID_BYTES} characters, got {quote(request_id)}"
        )
    if "inputs" not in document:
        raise invalid_argument("Unable to parse 'inputs': there are none")
    parameters = parse_parameters(document, "the request")
    inputs = _Inputs(binary).read(_objects(document, "inputs"))
    outputs = [_output(members) for members in _objects(document, "outputs")]
    return InferRequest(model_name, inputs, outputs, model_version, request_id, parameters)


def _objects(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The member ``key``: a list of objects with names, not too many."""
    values = document.get(key, [])
    if type(values) is not list:
        raise invalid_argument(f"Unable to parse '{key}': expected an array, got {quote(values)}")
    if len(values) > MAX_TENSORS:
        raise invalid_argument(f"{len(values)} {key} in one request; at most {MAX_TENSORS} can be")
    for value in values:
        if type(value) is not dict:
            raise invalid_argument(f"Unable to parse '{key}': {quote(value)} is no object")
        if type(value.get("name")) is not str:
            raise invalid_argument(
                f"Unable to parse '{key}': name must be a string, got {quote(value.get('name'))}"
            )
    return values


def _output(members: Mapping[str, Any]) -> RequestedOutput:
    name = members["name"]
    return RequestedOutput.from_parameters(name, parse_parameters(members, f"output '{name}'"))


class _Inputs:
    """Reads inputs in order; those that are binary lie one after the other."""

    def __init__(self, binary: memoryview) -> None:
        self._binary = binary
        self._position = 0

    def read(self, objects: list[dict[str, Any]]) -> list[InferInput]:
        inputs = [self._input(members) for members in objects]
        left = len(self._binary) - self._position
        if left:
            raise invalid_argument(
                f"{left} bytes of binary data are left over: no input has them as its"
                " binary_data_size"
            )
        return inputs

    def _input(self, members: Mapping[str, Any]) -> InferInput:
        name = members["name"]
        what = f"input '{name[:256]}'"
        datatype_name, sizes = members.get("datatype"), members.get("shape")
        if type(datatype_name) is not str:
            raise invalid_argument(f"{what}: datatype must be a string, got {quote(datatype_name)}")
        if type(sizes) is not list:
            raise invalid_argument(f"{what}: shape must be an array, got {quote(sizes)}")
        datatype, shape = find_datatype(datatype_name, what), check_shape(sizes, what)
        parameters = parse_parameters(members, what)
        memory = shared_memory_range(parameters, what)
        size = parameters.get("binary_data_size")
        if (memory is not None) + (size is not None) + ("data" in members) != 1:
            raise _ambiguous(what)
        if memory is not None:
            return InferInput(name, datatype.name, shape, shared_memory=memory)
        if size is not None:
            array = read_tensor(self._take(size, what), datatype, shape, what)
        else:
            array = read_data(members["data"], datatype, shape, name)
        return InferInput(name, datatype.name, shape, array)

    def _take(self, size: Parameter, what: str) -> memoryview:
        if type(size) is not int or size < 0:
            raise invalid_argument(
                f"{what}: binary_data_size must be a number of bytes, got {quote(size)}"
            )
        left = len(self._binary) - self._position
        if size > left:
            raise invalid_argument(
                f"{what}: binary_data_size is {size}, but {left} bytes of binary data are left"
            )
        start = self._position
        self._position += size
        return self._binary[start : self._position]


def _ambiguous(what: str) -> ServingError:
    return invalid_argument(
        f"{what} must have its values in one place: data, binary_data_size or shared_memory_region"
    )
