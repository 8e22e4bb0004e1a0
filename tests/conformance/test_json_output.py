"""§3 and §4, answers: forms, numbers, strings, status and metadata as the official protos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.server import Server
from tests.saved_model_edits import read_meta_graph

pytestmark = pytest.mark.tf


def answer_text(server: Server, dtype: str, values: str) -> str:
    """What stands between the brackets of the answer to the same values."""
    body = f'{{"signature_name":"{dtype}","inputs":[{values}]}}'.encode()
    text = server.predict("dtypes", body).body.decode()
    return text.removeprefix('{"outputs":[').removesuffix("]}")


@pytest.mark.parametrize(
    ("dtype", "values", "text"),
    [
        pytest.param("float32", "1,-2,0", "1.0,-2.0,0.0", id="whole numbers get .0"),
        pytest.param("float64", "1,100", "1.0,100.0", id="whole doubles too"),
        pytest.param("float32", "0.1,2.5,1.3", "0.1,2.5,1.3", id="shortest float"),
        pytest.param("float64", "0.1,2.5", "0.1,2.5", id="shortest double"),
        pytest.param("float32", "NaN,Infinity,-Infinity", "NaN,Infinity,-Infinity", id="bare"),
        pytest.param("float64", "NaN,Infinity,-Infinity", "NaN,Infinity,-Infinity", id="doubles"),
        pytest.param("int64", "9007199254740993", "9007199254740993", id="int64 beyond 2^53"),
        pytest.param("uint64", "18446744073709551615", "18446744073709551615", id="uint64"),
        pytest.param("int8", "-1,2", "-1,2", id="small integers"),
        pytest.param("bool", "true,false", "true,false", id="bool"),
    ],
)
def test_numbers(server: Server, dtype: str, values: str, text: str) -> None:
    assert answer_text(server, dtype, values) == text


@pytest.mark.parametrize(
    "value", ["9e+06", "3e-05", "1e+20", "1e-40", "16777216", "3.4028235e38", "0.333333343"]
)
def test_large_and_small_numbers_come_back_as_the_same_float(server: Server, value: str) -> None:
    import numpy as np

    text = answer_text(server, "float32", value)
    assert np.float32(text) == np.float32(value)
    assert set(text) & set(".e"), "a client must see that it is no integer"


@pytest.mark.parametrize("value", ["0.1", "1e+300", "5e-324", "0.30000000000000004"])
def test_doubles_come_back_as_they_are(server: Server, value: str) -> None:
    assert float(answer_text(server, "float64", value)) == float(value)


@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_a_dtype_that_cannot_be_written(server: Server, form: str) -> None:
    answer = server.predict("shapes", {"signature_name": "half", form: [1]})
    assert answer.status == 400
    assert answer.error.startswith("Failed to write JSON value for tensor type: half")


BOTH = {"text": "zoë", "text_bytes": {"b64": "em/Dqw=="}}


@pytest.mark.parametrize(
    ("signature", "text", "answer"),
    [
        pytest.param("serving_default", "zoë", "zoë", id="text"),
        pytest.param("bytes", "zoë", {"b64": "em/Dqw=="}, id="alias that ends in _bytes"),
        pytest.param("both", "zoë", BOTH, id="both"),
        pytest.param("serving_default", {"b64": "/w=="}, {"b64": "/w=="}, id="no UTF-8"),
    ],
)
def test_strings(server: Server, signature: str, text: Any, answer: Any) -> None:
    body = {"signature_name": signature, "instances": [text]}
    assert server.predict("strings", body).json == {"predictions": [answer]}
    body = {"signature_name": signature, "inputs": text}
    assert server.predict("strings", body).json == {"outputs": answer}


@pytest.mark.parametrize(
    ("model", "body", "answer"),
    [
        pytest.param("half", {"instances": [1]}, b'{"predictions":[2.5]}', id="one output, rows"),
        pytest.param("half", {"inputs": [1]}, b'{"outputs":[2.5]}', id="one output, column"),
        pytest.param(
            "shapes",
            {"inputs": [1, 2]},
            b'{"outputs":{"each":[1.0,2.0],"sum":[3.0]}}',
            id="several outputs: an object of lists",
        ),
        pytest.param(
            "shapes",
            {"instances": [5]},
            b'{"predictions":[{"each":5.0,"sum":5.0}]}',
            id="several outputs: a list of objects",
        ),
        pytest.param("scalar", {"inputs": [1, 2]}, b'{"outputs":1.5}', id="scalar in a column"),
        pytest.param(
            "shapes",
            {"signature_name": "nothing", "instances": [1, 2]},
            b'{"predictions":[]}',
            id="zero rows; their number is not the input's",
        ),
        pytest.param(
            "shapes",
            {"signature_name": "nothing", "inputs": [1, 2]},
            b'{"outputs":[]}',
            id="zero rows in a column",
        ),
    ],
)
def test_forms(server: Server, model: str, body: Any, answer: bytes) -> None:
    found = server.predict(model, body)
    assert (found.status, found.body) == (200, answer)


def test_status_is_the_official_message(server: Server) -> None:
    from google.protobuf import json_format
    from tensorflow_serving.apis.get_model_status_pb2 import (
        GetModelStatusResponse,
        ModelVersionStatus,
    )

    answer = server.get("/v1/models/two").body.decode()
    states = [
        ModelVersionStatus(version=v, state=ModelVersionStatus.State.AVAILABLE, status={})
        for v in (2, 1)
    ]
    expected = GetModelStatusResponse(model_version_status=states)
    assert json_format.Parse(answer, GetModelStatusResponse()) == expected
    ok = {"error_code": "OK", "error_message": ""}
    assert json.loads(answer) == {
        "model_version_status": [
            {"version": "2", "state": "AVAILABLE", "status": ok},
            {"version": "1", "state": "AVAILABLE", "status": ok},
        ]
    }


def _signature_defs(path: Path) -> Any:
    from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

    return SignatureDefMap(signature_def=read_meta_graph(path).signature_def)


@pytest.mark.parametrize(
    "model", ["half", "column", "dtypes", "several", "shapes", "defaults", "tf1", "examples"]
)
def test_metadata_is_the_official_message(server: Server, model: str) -> None:
    from google.protobuf import json_format
    from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

    answer = server.get(f"/v1/models/{model}/metadata")
    written = _signature_defs(server.log.parent / model / "00000123")
    expected = json_format.MessageToDict(
        written, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert answer.json == {
        "model_spec": {"name": model, "signature_name": "", "version": "123"},
        "metadata": {"signature_def": expected},
    }
    read = json_format.ParseDict(answer.json["metadata"]["signature_def"], SignatureDefMap())
    assert read == written


def test_metadata_to_the_letter(server: Server) -> None:
    found = server.get("/v1/models/half/metadata").json["metadata"]["signature_def"]
    signatures = found["signature_def"]
    assert list(signatures) == ["__saved_model_init_op", "serving_default"]
    shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    tensor = {"dtype": "DT_FLOAT", "tensor_shape": shape}
    default = signatures["serving_default"]
    assert default["inputs"] == {"x": {**tensor, "name": "serving_default_x:0"}}
    assert default["outputs"] == {"y": {**tensor, "name": "StatefulPartitionedCall:0"}}
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["defaults"] == {}


def test_a_reference_dtype_is_listed_as_it_is(server: Server) -> None:
    found = server.get("/v1/models/tf1/metadata").json["metadata"]["signature_def"]
    outputs = found["signature_def"]["increment"]["outputs"]
    assert outputs["count"]["dtype"] == "DT_FLOAT_REF"
