"""POST /v2/models/NAME/infer by hand: every mistake is answered, and the server goes on."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.serving import Client
from tests.oip.contents import ADD_SUB, A
from tests.oip.models import EVERY_MODEL, HEAD_LENGTH, infer, json_input, serving_oip

RAW_MISTAKES = {
    "two inputs": ("add_sub", bytes(16), "needs a model with one input; 'add_sub' has 2"),
    "size": ("image", bytes(20), "input byte size mismatch for input 'x'"),
    "no whole values": ("FP32", bytes(7), "input byte size mismatch for input 'x'"),
    "no model": ("nobody", b"", "Request for unknown model: 'nobody' is not found"),
}


@pytest.mark.parametrize(("model", "body", "message"), RAW_MISTAKES.values(), ids=RAW_MISTAKES)
async def test_raw_bodies_that_do_not_fit(
    client: Client, model: str, body: bytes, message: str
) -> None:
    answer = await infer(client, model, body, {HEAD_LENGTH: "0"})
    assert answer.status == (404 if model == "nobody" else 400)
    assert message in answer.error


@pytest.mark.parametrize("header", ["-1", "1e3", "0x10", "1" * 19, "", " ", "٣"])
async def test_head_lengths_that_are_no_number(client: Client, header: str) -> None:
    raw = await client.raw(
        f"POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        f"{HEAD_LENGTH}: {header}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["error"]


def changed(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{**ADD_SUB["inputs"][0], **changes}, ADD_SUB["inputs"][1]]}


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "wrong dtype": (
        changed(datatype="FP32"),
        "inference input 'a' data-type is 'FP32', but model 'add_sub' expects 'INT32'",
    ),
    "wrong shape": (
        changed(shape=[4], data=[1, 2, 3, 4]),
        "unexpected shape for input 'a' for model 'add_sub'. Expected [-1,4], got [4].",
    ),
    "wrong size": (
        changed(shape=[1, 5], data=[1, 2, 3, 4, 5]),
        "Expected [-1,4], got [1,5].",
    ),
    "unknown input": (
        changed(name="z"),
        "unexpected inference input 'z' for model 'add_sub' (expected: 'a', 'b')",
    ),
    "missing input": (
        {"inputs": ADD_SUB["inputs"][:1]},
        "expected 2 inputs but got 1 inputs for model 'add_sub': 'b' missing",
    ),
    "no inputs": ({"inputs": []}, "expected 2 inputs but got 0 inputs"),
    "duplicate input": ({"inputs": ADD_SUB["inputs"] * 2}, "input 'a' is given twice"),
    "unknown output": (
        {**ADD_SUB, "outputs": [{"name": "z"}]},
        "unexpected inference output 'z' for model 'add_sub' (expected: 'sum', 'difference')",
    ),
    "duplicate output": (
        {**ADD_SUB, "outputs": [{"name": "sum"}, {"name": "sum"}]},
        "output 'sum' is asked for twice",
    ),
    "different batches": (
        changed(shape=[2, 4], data=[1] * 8),
        "the inputs for model 'add_sub' have different batch sizes: 'a' 2, 'b' 1",
    ),
    "no rows": (
        {"inputs": [json_input(name, A[:0], "INT32") for name in "ab"]},
        "inference request batch-size must be at least 1 for 'add_sub'",
    ),
    "priority": ({**ADD_SUB, "parameters": {"priority": -1}}, "parameter priority must be"),
    "timeout": ({**ADD_SUB, "parameters": {"timeout": "1"}}, "parameter timeout must be a whole"),
    "huge timeout": ({**ADD_SUB, "parameters": {"timeout": 2.0**70}}, "parameter timeout must be"),
    "signature": (
        {**ADD_SUB, "parameters": {"signature_name": "z"}},
        "model 'add_sub' has no signature \"z\" (expected: serving_default)",
    ),
    "no signature name": ({**ADD_SUB, "parameters": {"signature_name": 1}}, "must be a string"),
    "binary_data_output": (
        {**ADD_SUB, "parameters": {"binary_data_output": 1}},
        "parameter binary_data_output must be true or false",
    ),
}


@pytest.mark.parametrize(("body", "message"), MISTAKES.values(), ids=MISTAKES)
async def test_requests_that_do_not_fit_the_model(
    client: Client, body: dict[str, Any], message: str
) -> None:
    """400, with the request's id; and the server goes on."""
    answer = await infer(client, "add_sub", {**body, "id": "a"})
    assert answer.status == 400
    assert answer.error.startswith("[request id: a] ")
    assert message in answer.error
    answer = await infer(client, "add_sub", body)
    assert answer.error.startswith("[request id: <id_unknown>] ")
    assert (await infer(client, "add_sub", ADD_SUB)).status == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"inputs":1}', b'{"inputs":[],"id":5}', b"\xff", b"[" * 100_000],
)
async def test_bodies_that_are_no_requests(client: Client, body: bytes) -> None:
    answer = await infer(client, "add_sub", body)
    assert answer.status == 400
    assert answer.error


async def test_a_signature_must_be_named_where_several_could_be_meant(client: Client) -> None:
    answer = await infer(client, "two", {"inputs": []})
    assert answer.status == 400
    assert "model 'two' has no signature \"serving_default\" (expected: a, b)" in answer.error


async def test_unknown_models_and_versions(client: Client) -> None:
    answer = await infer(client, "nobody", ADD_SUB)
    assert (answer.status, answer.error) == (
        404,
        "Request for unknown model: 'nobody' is not found",
    )
    answer = await infer(client, "add_sub/versions/7", ADD_SUB)
    assert (answer.status, answer.error) == (
        404,
        "Request for unknown model: 'add_sub' version 7 is not found",
    )
    assert (await infer(client, "add_sub/versions/abc", ADD_SUB)).status == 404
    assert (await infer(client, f"add_sub/versions/{2**63}", ADD_SUB)).status == 400


async def test_the_other_errors_of_http(client: Client) -> None:
    answer = await client.get("/v2/models/add_sub/infer")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert "GET is not allowed here, but POST" in answer.error
    for path in ("/v2/x", "/v2/models/m/explode", "/v2/health", "/v2/models//infer"):
        answer = await client.get(path)
        assert answer.status == 404
        assert answer.error == f"Not found: {path}"


async def test_a_body_that_is_too_large(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"FP32": EVERY_MODEL["FP32"]}, max_body_bytes=1000) as client:
        answer = await infer(client, "FP32", bytes(1001), {HEAD_LENGTH: "0"})
        assert answer.status == 413
        packed = gzip.compress(bytes(100_000))
        headers = {HEAD_LENGTH: "0", "Content-Encoding": "gzip"}
        assert (await infer(client, "FP32", packed, headers)).status == 413
