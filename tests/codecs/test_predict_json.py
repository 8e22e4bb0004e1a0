"""The body's keys, and what is checked before and after the model is known."""

from __future__ import annotations

import pytest
from codec_helpers import decode, refusal, signature, specs

from gateway.codecs.predict_json import Form, decode_inputs, parse_predict
from gateway.errors import Code, ServingError


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"instances":[1]}', "serving_default"),
        (b'{"signature_name":"","instances":[1]}', "serving_default"),
        (b'{"signature_name":"other","instances":[1]}', "other"),
        (b'{"signature_name":"a","instances":[1],"signature_name":"b"}', "a"),
    ],
)
def test_signature_name(body: bytes, name: str) -> None:
    assert parse_predict(body).signature_name == name


@pytest.mark.parametrize("name", [b"5", b"null", b"[]", b"true", b'{"b64":"YQ=="}'])
def test_signature_name_must_be_a_string(name: bytes) -> None:
    with pytest.raises(ServingError) as caught:
        parse_predict(b'{"signature_name":%b,"instances":[1]}' % name)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert "'signature_name' key must be a string value." in caught.value.message
    assert f"got {name.decode()}" in caught.value.message


def test_forms() -> None:
    row = parse_predict(b'{"instances":[1,2]}')
    column = parse_predict(memoryview(b'{"inputs":{"x":3}}'))
    assert (row.form, row.value) == (Form.ROW, [1, 2])
    assert (column.form, column.value) == (Form.COLUMN, {"x": 3})
    with pytest.raises(AttributeError):
        row.form = Form.COLUMN  # type: ignore[misc]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"instances":[[1,2.5],[-3e2,4]]}', True),
        (b'{"signature_name":"a","instances":[1]}', True),
        (b'{"instances" : [ { "x" : 1 } ] }', True),
        (b'{"instances" : [ { "x" : {"y" : 1 } } ] }', False),  # an odd one: not worth telling
        (b'{"signature_name": "a", "instances": [{"x": 1}, {"x": 2}]}', True),
        (b'{"signature_name":"a","instances":["b"]}', False),
        (b'{"instances":["b"]}', False),
        (b'{"instances":["b" ]}', False),
        (b'{"instances":["b"\n,1]}', False),
        (b'{"instances":[{"x":"b"}]}', False),
        (b'{"instances":[true]}', False),
        (b'{"instances":[false]}', False),
        (b'{"instances":[null]}', False),
        (b'{"instances":[1],"note":"unknown keys count as well"}', False),
    ],
)
def test_numbers_only_is_claimed_only_when_true(body: bytes, expected: bool) -> None:
    assert parse_predict(body).numbers_only is expected


@pytest.mark.parametrize(
    ("body", "phrases"),
    [
        (b"{}", ["Missing 'inputs' or 'instances' key", "got: []"]),
        (b'{"instance":[1]}', ["Missing 'inputs' or 'instances' key", 'got: ["instance"]']),
        (
            b'{"instances":[1],"inputs":[1]}',
            [
                'JSON Value: {"instances":[1],"inputs":[1]} Not formatted correctly expecting only',
                "one of 'inputs' or 'instances' keys to exist",
            ],
        ),
    ],
)
def test_wrong_keys_are_told_after_the_model_is_known(body: bytes, phrases: list[str]) -> None:
    parsed = parse_predict(body)
    with pytest.raises(ServingError) as caught:
        decode_inputs(parsed, signature(specs(x="float")))
    assert caught.value.code is Code.INVALID_ARGUMENT
    for phrase in phrases:
        assert phrase in caught.value.message


def test_unknown_top_level_keys_are_ignored() -> None:
    arrays = decode(b'{"note":"hi","instances":[1.5],"more":[[[]]]}', x="float")
    assert arrays["x"].tolist() == [1.5]


def test_a_signature_without_inputs_runs() -> None:
    assert decode(b'{"inputs":{}}') == {}


@pytest.mark.parametrize(
    ("request_body", "phrase"),
    [
        (b'{"inputs":{"x":1}}', 'Unknown named inputs: ["x"]'),
        (b'{"inputs":[]}', "'inputs' must be {} (got Array)"),
        (b'{"inputs":null}', "'inputs' must be {} (got Null)"),
        (b'{"instances":[1]}', 'send {"inputs": {}}'),
        (b'{"instances":[{}]}', 'send {"inputs": {}}'),
    ],
)
def test_a_signature_without_inputs_takes_nothing(request_body: bytes, phrase: str) -> None:
    assert phrase in refusal(request_body)
