"""Triton's own HTTP clients, the blocking one and the one for asyncio: inference."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
import tritonclient.http as blocking

from tests.gateway.serving import Client
from tests.oip.models import SAMPLES
from tests.oip.triton_http import ARRAY, Ask, both, given, refusal


@pytest.mark.parametrize("name", SAMPLES)
async def test_every_datatype(ask: Ask, name: str) -> None:
    result = await ask("infer", name, [given("x", SAMPLES[name], name)])
    back = result.as_numpy("y")
    assert back.dtype == SAMPLES[name].dtype
    assert back.tolist() == SAMPLES[name].tolist()


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "BF16"])
async def test_every_datatype_as_json(ask: Ask, name: str) -> None:
    inputs = [given("x", SAMPLES[name], name, binary=False)]
    wanted = [blocking.InferRequestedOutput("y", binary_data=False)]
    result = await ask("infer", name, inputs, outputs=wanted)
    assert "parameters" not in result.get_output("y")
    expected = SAMPLES[name].tolist()
    if name == "BYTES":
        expected = [[value.decode() for value in expected[0]]]
    assert result.as_numpy("y").tolist() == expected


async def test_everything_that_infer_takes(ask: Ask) -> None:
    inputs = both()
    inputs[1] = given("b", ARRAY, "INT32", binary=False)
    result = await ask(
        "infer",
        "add_sub",
        inputs,
        model_version="1",
        outputs=[
            blocking.InferRequestedOutput("difference", binary_data=False),
            blocking.InferRequestedOutput("sum", binary_data=True),
        ],
        request_id="number 7",
        priority=1,
        timeout=10_000_000,
        sequence_id=5,
        sequence_start=True,
        sequence_end=True,
        parameters={"mine": "a", "other": 1.5},
        headers={"X-Mine": "1"},
        query_params={"mine": "1"},
    )
    assert result.as_numpy("sum").tolist() == [[0, 2, 4, 6]]
    assert result.as_numpy("difference").tolist() == [[0] * 4]
    response = result.get_response()
    assert (response["id"], response["model_name"], response["model_version"]) == (
        "number 7",
        "add_sub",
        "1",
    )


@pytest.mark.parametrize("sent", [None, "gzip", "deflate"])
@pytest.mark.parametrize("received", [None, "gzip", "deflate"])
async def test_compression(ask: Ask, sent: str | None, received: str | None) -> None:
    array = np.arange(3000, dtype=np.float32).reshape(1, 3000)
    result = await ask(
        "infer",
        "FP32",
        [given("x", array, "FP32")],
        request_compression_algorithm=sent,
        response_compression_algorithm=received,
    )
    np.testing.assert_array_equal(result.as_numpy("y"), array)


async def test_classification(ask: Ask) -> None:
    scores = np.array([[0.25, 3.0, -1.0], [1.0, 1.0, 2.0]], np.float32)
    for binary in (True, False):
        wanted = [blocking.InferRequestedOutput("y", binary_data=binary, class_count=2)]
        result = await ask("infer", "FP32", [given("x", scores, "FP32")], outputs=wanted)
        classes = result.as_numpy("y").astype(bytes).tolist()
        assert classes == [[b"3.000000:1", b"0.250000:0"], [b"2.000000:2", b"1.000000:0"]]


MISTAKES: dict[str, tuple[str, np.ndarray, str, str]] = {
    "dtype": ("x", ARRAY, "INT32", "data-type is 'INT32', but model 'FP32' expects 'FP32'"),
    "name": ("z", SAMPLES["FP32"], "FP32", "unexpected inference input 'z' for model 'FP32'"),
    "shape": ("x", np.zeros(3, np.float32), "FP32", "Expected [-1,-1], got [3]"),
}


@pytest.mark.parametrize(("name", "array", "datatype", "text"), MISTAKES.values(), ids=MISTAKES)
async def test_mistakes(ask: Ask, name: str, array: np.ndarray, datatype: str, text: str) -> None:
    status, message = await refusal(ask("infer", "FP32", [given(name, array, datatype)]))
    assert (status, text in message) == ("400", True)


async def test_async_infer(client: Client) -> None:
    """Of the blocking client, with its own worker greenlets."""

    def run() -> list[Any]:
        url = f"127.0.0.1:{client.port}"
        with blocking.InferenceServerClient(url, concurrency=4) as triton:
            asked = [triton.async_infer("add_sub", both()) for _ in range(8)]
            return [one.get_result().as_numpy("sum").tolist() for one in asked]

    assert await asyncio.to_thread(run) == [[[0, 2, 4, 6]]] * 8


async def test_bodies_made_by_hand(client: Client) -> None:
    """``generate_request_body`` and ``parse_response_body``."""
    body, length = blocking.InferenceServerClient.generate_request_body(both())
    headers = {"Inference-Header-Content-Length": str(length), "Accept-Encoding": "identity"}
    answer = await client.ask("POST", "/v2/models/add_sub/infer", data=body, headers=headers)
    head = int(answer.headers["Inference-Header-Content-Length"])
    result = blocking.InferenceServerClient.parse_response_body(answer.body, header_length=head)
    assert result.as_numpy("sum").tolist() == [[0, 2, 4, 6]]


async def test_the_clients_send_no_content_type(client: Client) -> None:
    """What the sockets of the blocking client carry: no header says JSON, none is needed."""
    request = json.dumps({"inputs": []}).encode()
    raw = await client.raw(
        b"POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(request), request)
    )
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert b"expected 2 inputs but got 0" in raw
