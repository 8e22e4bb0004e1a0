"""Predict answers over HTTP are what TensorFlow computes in this process."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from gateway.backends.tensorflow import TensorFlowBackend, import_tensorflow
from gateway.config.settings import Settings
from tests import saved_models
from tests.gateway.conftest import Repository
from tests.gateway.serving import Client, serving

pytestmark = pytest.mark.tf

MODELS = {
    "half": saved_models.half_plus_two,
    "multi": saved_models.several_inputs_and_outputs,
    "dtypes": saved_models.every_dtype,
    "text": saved_models.strings,
    "lengths": saved_models.variable_length,
    "scalar": saved_models.scalar_output,
    "old": saved_models.tf1_export,
    "defaults": saved_models.with_default,
}


@pytest.fixture
async def client(
    repository: Repository, tensorflow_backend: TensorFlowBackend
) -> AsyncIterator[Client]:
    root = repository(**MODELS)
    tables = {name: {"base_path": str(root / name)} for name in MODELS}
    # No warm-up: it is looked at elsewhere and would be paid by every test.
    settings = Settings.model_validate({"models": tables, "warmup": False})
    async with serving(settings, tensorflow_backend) as client:
        yield client


def reference(client: Client, model: str, signature: str = "serving_default", **inputs: Any) -> Any:
    """Outputs by name as TensorFlow's own loader and signature function compute them."""
    tf = import_tensorflow()
    path = client.gateway.registry.models[model].settings.base_path / "1"
    function = tf.saved_model.load(str(path)).signatures[signature]
    feeds = {k: tf.constant(v) for k, v in inputs.items()}
    return {k: v.numpy() for k, v in function(**feeds).items()}


async def test_row_form_of_one_input(client: Client) -> None:
    answer = await client.predict("half", {"instances": [1.0, 2.0, 5.0]})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {"predictions": [2.5, 3.0, 4.5]}


@pytest.mark.parametrize("value", [3, [3.0], [[1.0, 2.0], [3.0, 4.0]]])
async def test_a_declared_shape_is_not_enforced(client: Client, value: Any) -> None:
    answer = await client.predict("half", {"inputs": value})
    assert answer.json == {"outputs": (np.array(value) / 2 + 2).tolist()}


async def test_named_and_bare_columns_are_the_same(client: Client) -> None:
    bare = await client.predict("half", {"inputs": [4.0, 6.0]})
    named = await client.predict("half", {"inputs": {"x": [4.0, 6.0]}})
    assert bare.body == named.body == b'{"outputs":[4.0,5.0]}'


async def test_several_inputs_and_outputs_in_both_forms(client: Client) -> None:
    a = np.array([0.1, -2.5, 1e9], np.float32)
    b = np.array([[1, 2], [2**53 + 1, 0], [-5, 5]], np.int64)
    s = np.array(["a", "", "héllo ☃"], object)
    columns = {"a": a.tolist(), "b": b.tolist(), "s": s.tolist()}
    expected = reference(client, "multi", a=a, b=b, s=s)

    column_form = (await client.predict("multi", {"inputs": columns})).json["outputs"]
    assert column_form["doubled"] == expected["doubled"].tolist()
    assert column_form["tag"] == [value.decode() for value in expected["tag"]]
    assert np.array_equal(np.array(column_form["total"], np.float32), expected["total"])

    rows = [{name: column[i] for name, column in columns.items()} for i in range(3)]
    row_form = (await client.predict("multi", {"instances": rows})).json["predictions"]
    assert row_form == [
        {name: column_form[name][i] for name in ("doubled", "tag", "total")} for i in range(3)
    ]


async def test_text_and_base64_are_one_kind_of_input(client: Client) -> None:
    text = base64.b64encode("grün".encode()).decode()
    body = {"signature_name": "serving_default", "instances": ["grün", {"b64": text}]}
    answer = await client.predict("text", body)
    expected = reference(client, "text", text=np.array(["grün"], object))
    one = {"length": int(expected["length"][0]), "upper": expected["upper"][0].decode()}
    assert answer.json == {"predictions": [one, one]}


async def test_bytes_that_are_no_text_come_back_as_base64(client: Client) -> None:
    binary = base64.b64encode(b"\xff\x00a").decode()
    answer = await client.predict("text", {"inputs": {"b64": binary}})
    expected = base64.b64encode(b"\xff\x00A").decode()
    assert answer.json["outputs"]["upper"] == {"b64": expected}


NUMBERS: list[tuple[str, str]] = [
    ("float32", "[0.1,-0.0,3.4028235e38,1e-45,16777216.0]"),
    ("float64", "[0.1,1.7976931348623157e308,5e-324]"),
    ("bool", "[true,false]"),
    ("int8", "[-128,127]"),
    ("uint8", "[0,255]"),
    ("int16", "[-32768,32767]"),
    ("int32", "[-2147483648,2147483647]"),
    ("uint32", "[0,4294967295]"),
    ("int64", "[-9223372036854775808,9007199254740993,9223372036854775807]"),
    ("uint64", "[0,18446744073709551615]"),
]


@pytest.mark.parametrize(("dtype", "text"), NUMBERS)
async def test_every_dtype_of_json_to_its_limits(client: Client, dtype: str, text: str) -> None:
    body = f'{{"signature_name":"{dtype}","inputs":{text}}}'
    answer = await client.predict("dtypes", body.encode())
    assert answer.status == 200
    sent = np.array(json.loads(text), dtype)
    expected = reference(client, "dtypes", dtype, x=sent)["y"]
    received = np.array(answer.json["outputs"], dtype)
    assert received.tobytes() == expected.tobytes() == sent.tobytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint16", "complex64"])
async def test_dtypes_without_json_form(client: Client, dtype: str) -> None:
    body = {"signature_name": dtype, "inputs": [1]}
    assert (await client.predict("dtypes", body)).status == 501
    body = {"signature_name": dtype, "instances": [1]}
    answer = await client.predict("dtypes", body)
    assert answer.status == 400
    assert 'input "x"' in answer.error


async def test_numbers_that_are_not_finite(client: Client) -> None:
    body = b'{"instances": [NaN, Infinity, -Infinity, Inf, 1]}'
    answer = await client.predict("half", body)
    assert answer.body == b'{"predictions":[NaN,Infinity,-Infinity,Infinity,2.5]}'
    assert math.isnan(answer.json["predictions"][0])


async def test_float32_text_reads_back_as_the_same_float32(client: Client) -> None:
    random = np.random.default_rng(7)
    bits = random.integers(0, 2**32, 4000, dtype=np.uint32)
    sent = bits.view(np.float32)
    sent = sent[np.isfinite(sent)]
    body = {"instances": [float(value) for value in sent]}
    answer = await client.predict("half", body)
    received = np.array(answer.json["predictions"], np.float32)
    assert received.tobytes() == reference(client, "half", x=sent)["y"].tobytes()


async def test_signatures_are_chosen_by_name(client: Client) -> None:
    answer = await client.predict("text", {"signature_name": "number", "inputs": ["2.5", "1e3"]})
    assert answer.json == {"outputs": [2.5, 1000.0]}


async def test_no_rows_at_all(client: Client) -> None:
    assert (await client.predict("half", {"inputs": []})).json == {"outputs": []}
    answer = await client.predict("text", {"inputs": {"text": []}})
    assert answer.json == {"outputs": {"length": [], "upper": []}}


async def test_a_scalar_output_needs_the_column_form(client: Client) -> None:
    answer = await client.predict("scalar", {"inputs": [1.0, 2.0, 6.0]})
    assert answer.json == {"outputs": 3.0}
    answer = await client.predict("scalar", {"instances": [1.0, 2.0, 6.0]})
    assert answer.status == 400
    assert answer.error.startswith("Tensor name: mean has no shape information")


async def test_a_variable_length_in_one_request_must_be_even(client: Client) -> None:
    answer = await client.predict("lengths", {"instances": [[1, 2, 3], [4, 5, 6]]})
    assert answer.json["predictions"][1] == {"doubled": [8.0, 10.0, 12.0], "total": 15.0}


async def test_a_default_of_the_signature_is_no_excuse_over_rest(client: Client) -> None:
    answer = await client.predict("defaults", {"inputs": {"x": [1.0]}})
    assert (answer.status, answer.error[:27]) == (400, "Missing named input: bias i")


async def test_a_model_of_tensorflow_1(client: Client) -> None:
    def ask(signature: str, inputs: Any) -> Any:
        return client.predict("old", {"signature_name": signature, "inputs": inputs})

    assert (await ask("serving_default", [1.0])).json == {"outputs": [2.5]}
    assert (await ask("lookup", ["two", "three"])).json == {"outputs": [2, -1]}
    first = (await ask("increment", {})).json["outputs"]
    assert (await ask("increment", {})).json["outputs"] == [count + 1 for count in first]
