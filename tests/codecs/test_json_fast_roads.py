"""The fast roads answer as the plain one does: the same arrays or the same error, for any body."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from codec_helpers import DTYPES, PROPERTY, signature, spec
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from batching import PackedInputs
from gateway.codecs import (
    json_blocks,
    json_columns,
    json_flat,
    json_numbers,
    json_rows,
    json_values,
    predict_json,
)
from gateway.codecs.predict_json import decode_inputs, parse_predict
from gateway.errors import ServingError

Verdict = dict[str, tuple[str, tuple[int, ...], bytes | str]] | tuple[str, str]
SEARCH = settings(PROPERTY, max_examples=400)

try:
    import simdjson
except ImportError:
    simdjson = None

PARSERS = [None] if simdjson is None else [None, simdjson]


@contextlib.contextmanager
def replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in changes:
            patch.setattr(module, name, value)
        yield


def plain_road() -> contextlib.AbstractContextManager[None]:
    """numpy converts what orjson parsed, as a whole."""
    return replaced(
        (predict_json, "LEAST_BODY_BYTES", 1 << 40),
        (predict_json, "pack_row", _nothing),
        (json_rows, "pack_columns", _nothing),
        (json_columns, "pack_columns", _nothing),
        (json_values, "pack_array", _nothing),
    )


def block_road(parser: Any) -> contextlib.AbstractContextManager[None]:
    """Every list of numbers is a block, however small."""
    return replaced(
        (predict_json, "LEAST_BODY_BYTES", 0),
        (json_blocks, "_LEAST_BLOCK_BYTES", 0),
        (json_numbers, "LEAST_LISTED_BYTES", 0),
        (json_numbers, "LONGEST_LISTED", 1 << 40),
        (json_numbers, "_CHUNK", 7),
        (json_numbers, "simdjson", parser),
    )


def _nothing(*arguments: object, **options: object) -> None:
    return None


def verdict(body: bytes, types: tuple[str, ...]) -> Verdict:
    inputs = {name: spec(name, type_name) for name, type_name in zip("xyz", types, strict=False)}
    try:
        arrays = decode_inputs(parse_predict(body), signature(inputs))
    except ServingError as error:
        return error.code.name, error.message
    return {name: _exactly(arrays[name]) for name in sorted(arrays)}


def _exactly(array: NDArray[Any]) -> tuple[str, tuple[int, ...], bytes | str]:
    assert array.flags.c_contiguous
    if array.dtype.kind == "O":
        return "O", array.shape, repr(array.tolist())
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array)
    return array.dtype.str, array.shape, array.tobytes()


def check(body: bytes, types: tuple[str, ...]) -> None:
    with plain_road():
        expected = verdict(body, types)
    assert verdict(body, types) == expected
    for parser in PARSERS:
        with block_road(parser):
            assert verdict(body, types) == expected


integers = st.integers(-3, 300) | st.sampled_from(
    [
        sign * 2**bits + more
        for sign in (-1, 1)
        for bits in (24, 31, 32, 53, 63, 64)
        for more in (-1, 0, 1)
    ]
)
floats = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [-0.0, 0.1, 1e-46, 3.4028235e38, 3.4028236e38, 1e39, 1e308, 5e-324, 16777217.0]
)
numbers = st.one_of(integers, floats, integers.map(float), st.sampled_from([0, 0.5]))
number_texts = numbers.map(json.dumps) | st.sampled_from(["-0", "1E5", "1e-400", "1e400", "NaN"])
odd_leaves = st.sampled_from(["true", "false", "null", '"1"', '{"b64":"YQ=="}', "{}", "[]", "-"])


@st.composite
def list_texts(draw: st.DrawFn) -> str:
    """A list in any spelling, regular and of numbers but for one fault in some of them."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    few = st.integers(0, 200).map(str)
    kinds = draw(
        st.sampled_from([few, few, integers.map(str), numbers.map(json.dumps), number_texts])
    )
    comma = draw(st.sampled_from([",", ", ", " ,", ",\n "]))
    fault = draw(st.integers(0, 40))
    count = 0

    def text(sizes: list[int]) -> str:
        nonlocal count
        if not sizes:
            count += 1
            return draw(odd_leaves | number_texts) if count == fault else draw(kinds)
        size = sizes[0] + (draw(st.integers(-1, 1)) if fault > 36 else 0)
        return "[" + comma.join(text(sizes[1:]) for _ in range(size)) + "]"

    return text(shape)


ONE_INPUT = [
    '{"instances":%s}',
    '{"inputs":%s}',
    '{"signature_name":"serving_default","instances":%s}',
    '{"instances": %s, "signature_name": "s"}',
    '{"inputs":{"x":%s}}',
    '{"instances":[{"x":%s},{"x":%s}]}',
]
TWO_INPUTS = [
    '{"inputs":{"y":%s,"x":%s}}',
    '{"instances":[{"x":%s,"y":1},{"y":2,"x":%s}]}',
    '{"instances":[{"x":%s,"y":%s}],"signature_name":""}',
]
ODD = [
    '{"instances":%s,"inputs":%s}',
    '{"instances":%s,"instances":%s}',
    '{"instances":%s,"signature_name":%s}',
    '{"instances":[{"x":%s,"x":%s}]}',
    '{"instances":[%s,{"x":%s}]}',
    '{"instances":%s,"other":%s}',
    '{"inputs":{"x":{"x":%s}}}',
    '{"inputs":%s}, %s',
    "[%s]",
]
number_types = st.sampled_from([name for name in DTYPES if name not in ("DT_STRING", "DT_BOOL")])
type_names = st.integers(0, 7).flatmap(
    lambda number: number_types if number else st.sampled_from([*DTYPES, "DT_HALF"])
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, tuple[str, ...]]:
    """A body, and the dtypes of the inputs that the signature has."""
    forms = draw(st.sampled_from([ONE_INPUT, ONE_INPUT, TWO_INPUTS, ODD]))
    form = draw(st.sampled_from(forms))
    inputs = 2 if forms is TWO_INPUTS else draw(st.sampled_from([1, 1, 1, 2]))
    texts = st.just(draw(list_texts())) if draw(st.booleans()) else list_texts()
    body = form % tuple(draw(texts) for _ in range(form.count("%s")))
    return body.encode(), tuple(draw(type_names) for _ in range(inputs))


@SEARCH
@given(requests())
def test_any_body(request_: tuple[bytes, tuple[str, ...]]) -> None:
    check(*request_)


@SEARCH
@given(requests(), st.data())
def test_any_damaged_body(request_: tuple[bytes, tuple[str, ...]], data: st.DataObject) -> None:
    """Characters left out, doubled, put in or exchanged: also what looks regular and is no JSON."""
    text = request_[0].decode()
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(text)))
        put = data.draw(
            st.sampled_from(["", *'[],0.5e-+" {}:\\\0n', "[1]", "1,", "true", "\\u0000"])
        )
        text = text[:at] + put + text[at + data.draw(st.integers(0, 2)) :]
    check(text.encode(), request_[1])


string_rows = st.lists(
    st.text(max_size=3)
    | st.sampled_from([{"b64": "YQ=="}, {"b64": "%"}, {}, 1, None, True, ["a"], ["ab", "c"], "ab"]),
    max_size=3,
)


@SEARCH
@given(st.sampled_from(["instances", "inputs"]), string_rows | st.lists(string_rows, max_size=3))
def test_any_strings(form: str, rows: list[Any]) -> None:
    check(json.dumps({form: rows}).encode(), ("DT_STRING",))
    check(
        json.dumps({form: [{"x": row, "y": 1} for row in rows]}).encode(), ("DT_STRING", "DT_FLOAT")
    )


MISPLACED = [
    "[1[2,3]]",
    "[[1,]2,[3,4]]",
    "[[1,2],3[,4]]",
    "[[1],]2[]",
    "[[1]2,[3]]",
    "[[[1,]2],[[3,4]]]",
]


@pytest.mark.parametrize("parser", PARSERS, ids=str)
@pytest.mark.parametrize("text", MISPLACED)
def test_a_number_on_the_wrong_side_of_a_bracket(text: str, parser: Any) -> None:
    """The brackets and commas alone look regular."""
    with block_road(parser):
        assert json_numbers.read_block(text.encode()) is None
        with pytest.raises(ServingError, match="JSON Parse error"):
            parse_predict(b'{"instances":%b}' % text.encode())


@pytest.mark.parametrize("parser", PARSERS, ids=str)
@pytest.mark.parametrize(
    "type_name", [name for name in DTYPES if name not in ("DT_STRING", "DT_BOOL")]
)
def test_an_image_is_a_block(type_name: str, parser: Any) -> None:
    image = np.arange(40 * 40 * 3).reshape(1, 40, 40, 3) % 100
    body = json.dumps({"instances": image.tolist()}).encode()
    with replaced((json_numbers, "simdjson", parser)):
        parsed = parse_predict(body)
        assert type(parsed.value) is json_numbers.NumberBlock
        array = decode_inputs(parsed, signature({"x": spec("x", type_name)}))["x"]
    assert array.dtype == DTYPES[type_name]
    assert np.array_equal(array, image)
    assert array.ctypes.data % 64 == 0


@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_images_by_name(parser: Any) -> None:
    images = np.linspace(0, 1, 2 * 40 * 40 * 3, dtype=np.float32).reshape(2, 40, 40, 3)
    rows = [{"x": image.tolist(), "y": index} for index, image in enumerate(images)]
    body = json.dumps({"signature_name": "s", "instances": rows}).encode()
    with replaced((json_numbers, "simdjson", parser)):
        parsed = parse_predict(body)
        assert parsed.text == body
        inputs = {"x": spec("x", "DT_FLOAT"), "y": spec("y", "DT_INT32")}
        arrays = decode_inputs(parsed, signature(inputs))
    assert parsed.signature_name == "s"
    assert np.array_equal(arrays["x"], images)
    assert arrays["y"].tolist() == [0, 1]


def test_a_large_body_without_blocks_is_read_as_any_other() -> None:
    body = json.dumps({"instances": ["text \\ " * 1000]}).encode()
    assert decode_inputs(parse_predict(body), signature({"x": spec("x", "DT_STRING")}))["x"].size


def small(rows: Any, **types: str) -> PackedInputs | None:
    inputs = {name: spec(name, f"DT_{label.upper()}") for name, label in types.items()}
    columns = rows if type(rows) is dict else {"x": rows}
    return json_flat.pack_columns(columns, inputs, numbers_only=False)


@pytest.mark.parametrize(
    ("rows", "label"),
    [
        ([1, 2.5], "float"),
        ([[1, 2], [3, 4]], "int64"),
        ([["a"], ["b"]], "string"),
        ([[[7]]], "double"),
    ],
)
def test_small_inputs_come_packed(rows: Any, label: str) -> None:
    packed = small(rows, x=label)
    assert packed is not None
    assert (packed.rows, packed["x"].shape) == (len(rows), np.shape(rows))


@pytest.mark.parametrize(
    ("rows", "label"),
    [
        ([], "float"), ([[]], "float"), (5, "float"), ([1, True], "float"), ([1, "1"], "float"),
        ([1.0], "int32"), ([2**31], "int32"), ([-1], "uint32"), ([[1], [2, 3]], "float"),
        ([["ab"], "c"], "string"), ([{"b64": "YQ=="}], "string"), ([1], "int8"), ([True], "bool"),
        ([[0.5] * 2049], "float"), ({"x": [1], "y": [1, 2]}, "float"),
    ],
)  # fmt: skip
def test_others_do_not(rows: Any, label: str) -> None:
    assert small(rows, x=label, y=label) is None


def test_a_packed_key_is_that_of_arrays() -> None:
    """Requests of both kinds share batches."""
    from batching import BatchPolicy
    from batching.compatibility import describe

    packed = small({"x": [[1.5, 2]], "b": ["t"]}, x="float", b="string")
    assert packed is not None
    assert packed.key == describe(dict(packed), BatchPolicy()).key
