"""POST /v2/models/NAME/infer by hand: the forms of bodies and answers."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.oip.binary import tensor_bytes
from gateway.oip.datatypes import DATATYPES
from gateway.oip.json_tensors import read_data
from tests.gateway.serving import Answer, Client
from tests.oip.contents import ADD_SUB, A, B
from tests.oip.models import (
    HEAD_LENGTH,
    SAMPLES,
    binary_request,
    identity,
    infer,
    json_input,
    serving_oip,
)


def split(answer: Answer) -> tuple[dict[str, Any], bytes]:
    """JSON and binary part of an answer."""
    length = int(answer.headers[HEAD_LENGTH])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    return json.loads(answer.body[:length]), answer.body[length:]


async def test_json(client: Client) -> None:
    answer = await infer(client, "add_sub", {"id": "7", **ADD_SUB})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert HEAD_LENGTH not in answer.headers
    assert answer.json == {
        "model_name": "add_sub",
        "model_version": "1",
        "id": "7",
        "outputs": [
            {"name": "sum", "datatype": "INT32", "shape": [1, 4], "data": [10, 11, 12, 13]},
            {"name": "difference", "datatype": "INT32", "shape": [1, 4], "data": [-10, -9, -8, -7]},
        ],
    }


@pytest.mark.parametrize("name", SAMPLES)
async def test_every_datatype_as_json(client: Client, name: str) -> None:
    body = {"inputs": [json_input("x", SAMPLES[name], name)]}
    [output] = (await infer(client, name, body)).json["outputs"]
    data = output.pop("data")
    assert output == {"name": "y", "datatype": name, "shape": [1, 3]}
    assert read_data(data, DATATYPES[name], (1, 3), "y").tolist() == SAMPLES[name].tolist()


@pytest.mark.parametrize("name", SAMPLES)
async def test_every_datatype_as_bytes(client: Client, name: str) -> None:
    array = SAMPLES[name]
    head = {
        "inputs": [{"name": "x", "datatype": name, "shape": list(array.shape)}],
        "parameters": {"binary_data_output": True},
    }
    body, headers = binary_request(head, (array, name))
    answer, raw = split(await infer(client, name, body, headers))
    expected = tensor_bytes(array, DATATYPES[name])
    assert raw == expected
    assert answer["outputs"][0] == {
        "name": "y",
        "datatype": name,
        "shape": [1, 3],
        "parameters": {"binary_data_size": len(expected)},
    }


async def test_json_and_binary_mixed(client: Client) -> None:
    head = {
        "inputs": [
            {"name": "a", "datatype": "INT32", "shape": [1, 4]},
            json_input("b", B, "INT32"),
        ],
        "outputs": [
            {"name": "difference", "parameters": {"binary_data": True}},
            {"name": "sum", "parameters": {"binary_data": False}},
        ],
        "parameters": {"binary_data_output": False},
    }
    body, headers = binary_request(head, (A, "INT32"))
    answer, raw = split(await infer(client, "add_sub", body, headers))
    assert np.frombuffer(raw, np.int32).tolist() == [-10, -9, -8, -7]
    assert answer["outputs"][1]["data"] == [10, 11, 12, 13]


async def test_an_outputs_own_form_wins(client: Client) -> None:
    body = {
        **ADD_SUB,
        "parameters": {"binary_data_output": True},
        "outputs": [{"name": "sum", "parameters": {"binary_data": False}}],
    }
    assert (await infer(client, "add_sub", body)).json["outputs"][0]["data"] == [10, 11, 12, 13]


async def test_named_outputs_in_their_order(client: Client) -> None:
    for names in (["difference"], ["difference", "sum"]):
        body = {**ADD_SUB, "outputs": [{"name": name} for name in names]}
        answer = await infer(client, "add_sub", body)
        assert [output["name"] for output in answer.json["outputs"]] == names


async def test_versions(client: Client) -> None:
    body = {"inputs": [json_input("x", np.ones(1, np.float32), "FP32")]}
    for path, version in (("v", "2"), ("v/versions/2", "2"), ("v/versions/1", "1")):
        answer = (await infer(client, path, body)).json
        assert answer["model_version"] == version
        assert answer["outputs"][0]["data"] == [float(version)]


async def test_signatures(client: Client) -> None:
    body = {"inputs": [json_input("x", np.ones(1, np.float32), "FP32")]}
    assert (await infer(client, "signatures", body)).json["outputs"][0]["data"] == [3.0]
    assert (await infer(client, "lone", body)).json["outputs"][0]["data"] == [5.0]
    body["parameters"] = {"signature_name": "other"}  # type: ignore[assignment]
    assert (await infer(client, "signatures", body)).json["outputs"][0]["data"] == [4.0]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compression_both_ways(client: Client, encoding: str) -> None:
    array = np.zeros((1, 4000), np.float32)
    head = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4000]}],
        "parameters": {"binary_data_output": True},
    }
    body, headers = binary_request(head, (array, "FP32"))
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    headers |= {"Content-Encoding": encoding, "Accept-Encoding": encoding}
    async with client.session.post(
        f"{client.url}/v2/models/FP32/infer", data=packed, headers=headers
    ) as response:
        assert response.headers["Content-Encoding"] == encoding
        assert int(response.headers["Content-Length"]) < 1000
        received = await response.read()
        assert len(received) == int(response.headers[HEAD_LENGTH]) + array.nbytes


async def test_a_short_answer_is_not_compressed(client: Client) -> None:
    answer = await infer(client, "add_sub", ADD_SUB, {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers


async def test_a_broken_compressed_body(client: Client) -> None:
    answer = await infer(client, "add_sub", b"no gzip", {"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert "the body is broken" in answer.error


@pytest.mark.parametrize(("model", "row"), [("image", (2, 3)), ("FP32", (5,)), ("INT8", (0,))])
async def test_raw_bodies(client: Client, model: str, row: tuple[int, ...]) -> None:
    """One row, and all outputs binary."""
    datatype = "FP32" if model == "image" else model
    array = np.arange(int(np.prod(row)), dtype=DATATYPES[datatype].dtype)
    answer, raw = split(await infer(client, model, array.tobytes(), {HEAD_LENGTH: "0"}))
    assert raw == array.tobytes()
    assert answer["outputs"][0]["shape"] == [1, *row]


async def test_a_raw_body_of_bytes_is_one_element(client: Client) -> None:
    answer, raw = split(await infer(client, "BYTES", b"abc", {HEAD_LENGTH: "0"}))
    assert answer["outputs"][0]["shape"] == [1, 1]
    assert raw == b"\x03\0\0\0abc"


async def test_a_raw_body_without_a_batch_axis(client: Client) -> None:
    answer, _ = split(await infer(client, "plain", bytes(24), {HEAD_LENGTH: "0"}))
    assert answer["outputs"][0]["shape"] == [3, 2]


async def test_large_tensors(client: Client) -> None:
    """More than the event loop decodes and encodes by itself, in both forms."""
    array = np.random.default_rng(1).random((1, 50_000), np.float32)
    body = {"inputs": [json_input("x", array, "FP32")]}
    assert len(json.dumps(body)) > 500_000
    [output] = (await infer(client, "FP32", body)).json["outputs"]
    np.testing.assert_array_equal(np.array(output["data"], np.float32), array[0])
    raw = await infer(client, "FP32", array.tobytes(), {HEAD_LENGTH: "0"})
    assert split(raw)[1] == array.tobytes()


async def test_many_rows_are_split(tmp_path: Path) -> None:
    fake = identity("FP32")
    async with serving_oip(tmp_path, {"m": fake}, max_batch_size=8) as client:
        array = np.arange(20, dtype=np.float32)
        answer = await infer(client, "m", {"inputs": [json_input("x", array, "FP32")]})
        assert answer.json["outputs"][0]["data"] == array.tolist()
        assert fake.sizes == [8, 8, 4]


async def test_too_many_rows_where_they_may_not_be_split(tmp_path: Path) -> None:
    settings = {"max_batch_size": 8, "split_large_requests": False}
    async with serving_oip(tmp_path, {"m": identity("FP32")}, **settings) as client:
        array = np.arange(9, dtype=np.float32)
        answer = await infer(client, "m", {"inputs": [json_input("x", array, "FP32")]})
        assert answer.status == 400
        assert "inference request batch-size must be <= 8 for 'm'" in answer.error
