"""A client's mistake is a 4xx that names the input, what was expected and what came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.gateway.fake_backend import FakeSignature, by_name, spec
from tests.gateway.leaks import harmless_error
from tests.gateway.serving import Client, serving_fakes

TWO_INPUTS = FakeSignature(
    lambda inputs: {"y": inputs["a"] + inputs["b"]},
    by_name(spec("a", np.float32), spec("b", np.int32)),
)
TEXT = FakeSignature(lambda inputs: {"y": inputs["text"]}, by_name(spec("text", object)))
NO_INPUTS = FakeSignature(lambda inputs: {"y": np.zeros(1)}, {})


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    contents = {"one": FakeSignature(), "two": TWO_INPUTS, "text": TEXT, "none": NO_INPUTS}
    async with serving_fakes(tmp_path, contents, max_queue_rows=40) as client:
        yield client


async def mistake(client: Client, model: str, body: Any, *parts: str) -> None:
    """The request gets a 400 whose message has all ``parts``, and the model goes on."""
    answer = await client.predict(model, body)
    assert answer.status == 400
    message = harmless_error(answer)
    for part in parts:
        assert part in message
    assert (await client.predict("one", {"instances": [3]})).json == {"predictions": [6.0]}


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error: "),
        (b'{"instances": [1,]}', "JSON Parse error: Invalid value. at offset: "),
        (b'{"instances": [1', "JSON Parse error: "),
        (b'{"instances": [1, 2}', "JSON Parse error: "),
        (b'{"instances": ["\xff"]}', "JSON Parse error: Invalid encoding in string."),
        (b"\x80\x04\x95", "JSON Parse error: "),
        (b'{"instances": ' + b"[" * 5000, "JSON Parse error: "),
        (b'{"instances": ' + b"[" * 5000 + b"]" * 5000 + b"}", "deep"),
        (b'{"instances": ' + b"[" * 200 + b"1" + b"]" * 200 + b"}", "deep"),
        (b"[1, 2]", "Is not object"),
        (b'"instances"', "Is not object"),
        (b"null", "Is not object"),
    ],
)
async def test_malformed_json(client: Client, body: bytes, part: str) -> None:
    await mistake(client, "one", body, part)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instance": [1]}, '["instance"]'),
        ({"inputs": [1], "instances": [1]}, "expecting only one of 'inputs' or 'instances'"),
        ({"instances": [1], "signature_name": 3}, "'signature_name' key must be a string value"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": {}}, "Expecting 'instances' to be an list"),
        ({"instances": 1}, "Expecting 'instances' to be an list"),
        ({"instances": None}, "got Null"),
    ],
)
async def test_the_wrong_envelope(client: Client, body: Any, part: str) -> None:
    await mistake(client, "one", body, part)


@pytest.mark.parametrize("form", ["instances", "inputs"])
@pytest.mark.parametrize(
    ("value", "came"),
    [("1.5", '"1.5" Type: String'), (True, "Type: True"), (None, "Type: Null")],
)
async def test_wrong_dtype(client: Client, form: str, value: Any, came: str) -> None:
    parts = ('input "x": expected float32', came, "is not of expected type: float")
    await mistake(client, "one", {form: [1.0, value]}, *parts)


@pytest.mark.parametrize(
    ("value", "came"), [(1.5, "1.5"), (2**31, "2147483648"), ("1", '"1"'), (1e2, "100.0")]
)
async def test_wrong_integers(client: Client, value: Any, came: str) -> None:
    parts = ('input "b": expected int32', "from -2147483648 to 2147483647", came)
    await mistake(client, "two", {"inputs": {"a": [1], "b": [value]}}, *parts)
    await mistake(client, "two", {"instances": [{"a": 1, "b": value}]}, "element: 0", *parts)


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (7, "Type: Number"),
        ({"b64": "???"}, "Unable to base64 decode"),
        ({"b64": 7}, "does not have named input: b64"),
        ({"b65": "YQ=="}, "does not have named input: b65"),
    ],
)
async def test_wrong_strings(client: Client, value: Any, came: str) -> None:
    await mistake(client, "text", {"instances": [value]}, came, "text")


@pytest.mark.parametrize("form", ["instances", "inputs"])
@pytest.mark.parametrize("value", [[[1, 2], [3]], [[1], 2], [1, [2]], [[[1]], [[2, 3]]]])
async def test_ragged(client: Client, form: str, value: Any) -> None:
    await mistake(client, "one", {form: value}, 'input "x"')


async def test_ragged_rows_tell_which(client: Client) -> None:
    body = {"instances": [[1, 2], [3, 4], [5]]}
    parts = ("element: 2", "Expecting tensor size: 2 but got: 1", 'input "x": expected float32')
    await mistake(client, "one", body, *parts)


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ({"inputs": {"a": [1]}}, ("Missing named input: b", "expected keys: a,b", '["a"]')),
        ({"inputs": {"a": [1], "b": [1], "c": [1]}}, ("Unknown named inputs", '["c"]', "a,b")),
        ({"inputs": [1]}, ("expected keys: a,b", "got Array")),
        ({"instances": [{"a": 1}]}, ("keys must be equal to: a,b", '["a"]')),
        ({"instances": [{"a": 1, "b": 1, "c": 1}]}, ("does not have named input: c",)),
        ({"instances": [1]}, ("expecting list of objects", "expected keys: a,b", "got Number")),
        ({"instances": [{"a": 1, "b": 1}, 1]}, ("Expecting object but got list at item 1",)),
        ({"instances": [{"a": 1, "b": 1}, {"a": 1}]}, ("element: 1", "must be equal to: a,b")),
    ],
)
async def test_missing_and_extra_inputs(client: Client, body: Any, parts: tuple[str, ...]) -> None:
    await mistake(client, "two", body, *parts)


async def test_values_and_objects_do_not_mix(client: Client) -> None:
    body = {"instances": [1, {"x": 1}]}
    await mistake(client, "one", body, "Expecting value/list but got object at item 1", "Object")


async def test_a_signature_without_inputs(client: Client) -> None:
    await mistake(client, "none", {"instances": [1]}, "no inputs")
    await mistake(client, "none", {"inputs": [1]}, "no inputs")


async def test_more_rows_than_may_wait_are_no_mistake(client: Client) -> None:
    answer = await client.predict("one", {"instances": [1] * 41})
    assert answer.json == {"predictions": [2.0] * 41}


async def test_more_rows_than_a_batch_without_splitting(tmp_path: Path) -> None:
    async with serving_fakes(
        tmp_path, {"one": FakeSignature()}, max_batch_size=4, split_large_requests=False
    ) as client:
        await mistake(client, "one", {"instances": [1] * 5}, "5 rows", "at most 4")


async def test_long_values_are_quoted_in_part(client: Client) -> None:
    answer = await client.predict("one", {"instances": ["x" * 1_000_000]})
    assert answer.status == 400
    assert len(answer.body) < 1000


async def test_lone_surrogates_in_an_error(client: Client) -> None:
    answer = await client.predict("one", b'{"instances": ["\\ud800"]}')
    assert answer.status == 400
    assert harmless_error(answer)
