"""What one side writes the other reads, however it is cut on the way; garbage ends a connection and
nothing else."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching import PackedInputs, RunTiming
from gateway.backends.base import Signature, TensorSpec
from gateway.errors import Code, ServingError
from gateway.hop import (
    failures,
    frames,
    inputs,
    outputs,
    passed,
    replies,
    requests,
    routes,
    signatures,
)
from gateway.hop.frames import BrokenFrame, FrameReader, Kind
from gateway.hop.routes import KnownSignature, ModelRoutes, Target

NUMBERS = st.integers(0, 2**64 - 1)
SECONDS = st.floats(0, 1e9)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
STRINGS = st.binary(max_size=20)
SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
DTYPES = st.sampled_from([np.dtype(code) for code in "?bBhHiIqQefdFDO"])
TIMING = RunTiming(1.0, 2.0, 3.0, 4, 8, "")
ROWS = {"x": np.dtype(np.float32), "s": np.dtype(object)}


def payloads(data: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    """What a reader makes of ``data`` that arrives in pieces."""
    reader = FrameReader()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [
        (kind, bytes(payload))
        for start, stop in pairwise(places)
        for kind, payload in reader.feed(data[start:stop])
    ]


def one_payload(data: bytes) -> bytes:
    [(_, payload)] = payloads(data, [])
    return payload


@given(st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=200))), st.lists(NUMBERS))
def test_frames_survive_any_cut(sent: list[tuple[Kind, bytes]], cuts: list[int]) -> None:
    data = b"".join(b"".join(frames.frame(kind, [body])) for kind, body in sent)
    assert payloads(data, cuts) == sent


def test_a_large_frame_is_passed_on_without_a_copy() -> None:
    data = b"".join(frames.frame(Kind.REQUESTS, [bytes(frames.LARGE_BYTES + 1)]))
    [(_, payload)] = FrameReader().feed(data)
    assert isinstance(payload, memoryview)
    assert payload.obj is data


def test_nothing_is_read_of_a_frame_that_is_too_long() -> None:
    reader = FrameReader(max_bytes=100)
    with pytest.raises(BrokenFrame):
        list(reader.feed(struct.pack("<IB", 101, Kind.REQUESTS)))


def test_too_long_a_frame_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 10)
    with pytest.raises(ValueError, match="11 bytes"):
        frames.frame(Kind.REQUESTS, [b"12345", b"678901"])


@st.composite
def packed(draw: st.DrawFn) -> PackedInputs:
    rows = draw(st.integers(1, 4))
    key, data = [], []
    for name in sorted(draw(st.sets(st.sampled_from("abc"), min_size=1))):
        dtype, shape = draw(DTYPES), draw(SHAPES)
        count = rows * int(np.prod(shape))
        size = count * dtype.itemsize
        values = st.lists(STRINGS, min_size=count, max_size=count)
        data.append(draw(values if dtype.hasobject else st.binary(min_size=size, max_size=size)))
        key.append((name, dtype, shape))
    return PackedInputs(data, tuple(key), rows)


@st.composite
def arrays(draw: st.DrawFn) -> dict[str, np.ndarray[Any, Any]]:
    found = {}
    for name in draw(st.lists(st.sampled_from("abc"), unique=True)):
        dtype = draw(DTYPES)
        shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
        if dtype.hasobject:
            array = np.empty(shape, object)
            array[...] = draw(STRINGS)
        else:
            array = np.frombuffer(draw(st.binary(min_size=16, max_size=16)) * 27, dtype)
            array = np.resize(array, shape)
        found[name] = array
    return found


def described(found: Any, rows: bool = True) -> inputs.Description:
    target = ("m", 3, None, "serving_default", "digest")
    return inputs.Description(*target, rows, inputs.layout_of(found))


@given(st.lists(st.tuples(packed() | arrays(), SECONDS), max_size=5))
def test_requests_arrive_as_they_were(sent: list[tuple[Any, float]]) -> None:
    writer = requests.RequestFrames()
    for number, (found, started) in enumerate(sent):
        writer.add(described(found).text(), number, *inputs.pack(found), started)
    received: dict[int, tuple[Any, float]] = {}
    for group in requests.read_requests(one_payload(b"".join(writer.take()))):
        description = inputs.read_description(group.description)
        at = 0
        for number, rows, size, started in group.records:
            dtypes = dtypes_of(sent[number][0])
            reader = inputs.InputReader(description.layout, dtypes)
            received[number] = reader.read(group.values[at : at + size], rows), started
            at += size
    assert len(received) == len(sent)
    for number, (found, started) in enumerate(sent):
        assert received[number][1] == started
        assert_same(received[number][0], found)


def dtypes_of(found: Any) -> dict[str, Any]:
    if isinstance(found, PackedInputs):
        return {name: dtype for name, dtype, _ in found.key}
    return {name: array.dtype for name, array in found.items()}


def assert_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(found, PackedInputs):
        assert (list(found.data), found.key, found.rows) == (
            list(expected.data), expected.key, expected.rows,
        )  # fmt: skip
        return
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes() or array.dtype.hasobject
        if array.dtype.hasobject:
            assert found[name].tolist() == array.tolist()
        elif array.size:
            assert found[name].ctypes.data % 64 == 0, "TensorFlow takes it without a copy"


def test_nothing_is_left_behind() -> None:
    writer = requests.RequestFrames()
    found = PackedInputs((b"1234",), (("x", np.dtype("f4"), ()),), 1)
    assert not writer.add(described(found).text(), 1, *inputs.pack(found), 0.0)
    writer.take()
    assert len(writer.take()) == 1, "a header"


def test_much_goes_at_once() -> None:
    writer = requests.RequestFrames()
    assert writer.add(b"", 1, 1, [bytes(frames.FULL_FRAME_BYTES)], 0.0)


@given(st.booleans(), st.lists(st.tuples(st.sampled_from("abc"), DTYPES, SHAPES), max_size=3))
def test_outputs_arrive_as_they_were(shared: bool, columns: list[Any]) -> None:
    made = {}
    for name, dtype, shape in columns:
        count = 6 * int(np.prod(shape))
        numbers = [i % 100 for i in range(count)]
        values = [b"%d" % i for i in numbers] if dtype.hasobject else numbers
        made[name] = np.array(values, dtype).reshape(6, *shape)
    text = outputs.describe_outputs(made, shared=shared)
    ranges = [(4, 6), (1, 2)]
    pieces = outputs.pack_rows(made, ranges)
    records = [(7, 2, 0.5), (8, 1, 0.25)]
    data = frames.frame(Kind.REPLIES, replies.reply_pieces(text, records, TIMING, pieces))
    [group] = replies.read_replies(one_payload(b"".join(data)))
    layout = outputs.read_layout(group.description)
    found = outputs.read_rows(group.values, layout, 3)
    assert (list(group.records), group.timing, layout.shared) == (records, TIMING, shared)
    assert list(found) == list(made)
    for name, array in made.items():
        assert found[name].dtype == array.dtype
        assert found[name].tolist() == array[[4, 5, 1]].tolist()


@pytest.mark.parametrize("ranges", [[(0, 6)], [(1, 2), (2, 5)]])
def test_neighbouring_rows_are_sent_as_they_lie(ranges: list[tuple[int, int]]) -> None:
    array = np.arange(6, dtype=np.float32)
    [piece] = outputs.pack_rows({"y": array}, ranges)
    assert np.frombuffer(piece, np.uint8).base is not None
    assert bytes(piece) == array[ranges[0][0] : ranges[-1][1]].tobytes()


@given(NUMBERS, SECONDS, st.binary(max_size=50))
def test_bodies(number: int, seconds: float, body: bytes) -> None:
    data = b"".join(replies.body_frame(number, seconds, TIMING, body))
    assert replies.read_body(one_payload(data)) == (number, (TIMING, seconds), body)


@given(NUMBERS, st.binary(max_size=50), st.binary(max_size=50), st.booleans())
def test_requests_and_answers_as_http(number: int, head: bytes, body: bytes, close: bool) -> None:
    data = b"".join(passed.passed_frame(number, head, body))
    assert passed.read_passed(one_payload(data)) == (number, head, body)
    data = b"".join(passed.answer_frame(number, body, close))
    assert passed.read_answer(one_payload(data)) == (number, body, close)


@given(st.lists(NUMBERS))
def test_numbers(numbers: list[int]) -> None:
    data = frames.numbers_frame(Kind.CANCEL, numbers)
    assert list(frames.read_numbers(one_payload(data))) == numbers


@given(st.lists(st.tuples(NUMBERS, st.sampled_from(Code), st.text(), st.none() | SECONDS)))
def test_errors(sent: list[tuple[int, Code, str, float | None]]) -> None:
    """Also those that quote what is no text."""
    made = [(n, ServingError(code, text, retry_after=after)) for n, code, text, after in sent]
    found = failures.read_errors(one_payload(failures.errors_frame(made)))
    clean = [text.encode("utf-8", "replace").decode() for _, _, text, _ in sent]
    assert [(n, e.code, e.message, e.retry_after) for n, e in found] == [
        (n, code, text, after) for (n, code, _, after), text in zip(sent, clean, strict=True)
    ]


@given(st.lists(st.builds(failures.Refused, TEXT, st.sampled_from(Code), SECONDS)))
def test_refusals(sent: list[failures.Refused]) -> None:
    assert failures.read_refused(one_payload(failures.refused_frame(sent))) == sent


SIGNATURE = Signature(
    "f",
    {"x": TensorSpec("x", np.dtype(np.float32), "DT_FLOAT", (None, 3))},
    {"y": TensorSpec("y", np.dtype(object), "DT_STRING", None)},
)


def test_signatures_and_routes() -> None:
    said = signatures.signature_json(SIGNATURE, {"x"})
    assert said is not None
    digest = signatures.digest(said)
    sent = routes.routes_json("m", {Target(None, None): {"f": digest}}, {digest: said})
    known = KnownSignature(digest, SIGNATURE, frozenset({"x"}))
    expected = ModelRoutes("m", {Target(None, None): {"f": known}})
    assert routes.read_routes(orjson.loads(orjson.dumps(sent))) == expected


def test_a_digest_tells_signatures_apart() -> None:
    other = Signature("f", SIGNATURE.inputs, SIGNATURE.inputs)
    said = [signatures.signature_json(SIGNATURE, optional) for optional in ((), ("x",))]
    said.append(signatures.signature_json(other, ()))
    assert len({signatures.digest(one) for one in said if one is not None}) == 3


def test_a_signature_with_values_that_cannot_be_sent() -> None:
    odd = TensorSpec("x", np.dtype("V2"), "DT_BFLOAT16", None)
    assert signatures.signature_json(Signature("f", {"x": odd}, {}), ()) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


def readers(payload: bytes) -> Iterator[Any]:
    """Everything that is called with what another process sent."""
    yield lambda: frames.check_hello(Kind.HELLO, payload)
    yield lambda: frames.read_json(payload)
    yield lambda: frames.read_numbers(payload)
    yield lambda: list(requests.read_requests(payload))
    yield lambda: list(replies.read_replies(payload))
    yield lambda: replies.read_body(payload)
    yield lambda: passed.read_passed(payload)
    yield lambda: passed.read_answer(payload)
    yield lambda: failures.read_errors(payload)
    yield lambda: failures.read_refused(payload)
    yield lambda: inputs.read_description(payload)
    yield lambda: outputs.read_layout(payload)
    yield lambda: routes.read_routes(frames.read_json(payload))
    yield lambda: list(FrameReader(1000).feed(payload))
    for layout in ((True, (("x", (2,)),)), (True, (("s", ()), ("x", ()))), (False, (("s", (3,)),))):
        reader = inputs.InputReader(layout, ROWS)
        yield lambda reader=reader: reader.read(payload, 2)
    for dtype in ("<f4", "|O"):
        layout = outputs.OutputLayout(True, (("y", np.dtype(dtype), (2,)),))
        yield lambda layout=layout: outputs.read_rows(payload, layout, 3)


def read_all(payload: bytes) -> None:
    for read in readers(payload):
        with suppress(BrokenFrame):
            read()


@given(st.binary(max_size=300))
def test_garbage(payload: bytes) -> None:
    read_all(payload)


@given(JSON)
def test_json_of_another_form(value: Any) -> None:
    read_all(orjson.dumps(value, default=str) if _is_small(value) else b"")


def _is_small(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:  # integers beyond 64 bits
        return False
    return True


@given(st.data(), st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte(data: st.DataObject, place: int, value: int) -> None:
    """Of a frame that was right."""
    found = data.draw(packed())
    writer = requests.RequestFrames()
    writer.add(described(found).text(), 1, *inputs.pack(found), 1.0)
    said = signatures.signature_json(SIGNATURE, ())
    told = routes.routes_json("m", {Target(None, None): {"f": "d"}}, {"d": said})  # type: ignore[dict-item]
    for frame in (b"".join(writer.take()), frames.json_frame(Kind.ROUTES, told)):
        payload = bytearray(one_payload(frame))
        payload[place % len(payload)] = value
        read_all(bytes(payload))


@pytest.mark.parametrize(
    "text",
    [
        ["m", None, None, "f", "d", True, True, [["x", [0]]]],
        ["m", None, None, "f", "d", True, True, [["x", [-1]]]],
        ["m", None, None, "f", "d", True, True, [["x", [2**40]]]],
        ["m", None, None, "f", "d", True, True, [["x", [1] * 40]]],
        ["m", None, None, "f", "d", 1, True, []],
        ["m", "1", None, "f", "d", True, True, []],
        ["m", None, 1, "f", "d", True, True, []],
        [None, None, None, "f", "d", True, True, []],
    ],
)
def test_descriptions_that_make_no_sense(text: list[Any]) -> None:
    with pytest.raises(BrokenFrame):
        inputs.read_description(orjson.dumps(text))


@pytest.mark.parametrize("name", ["|V4", "<M8[s]", "<U3", "nonsense", 5, None, [["a", "<f4"]]])
def test_dtypes_that_are_not_sent(name: object) -> None:
    with pytest.raises(BrokenFrame):
        outputs.read_layout(orjson.dumps([True, [["y", name, []]]]))


@pytest.mark.parametrize(("size", "rows"), [(7, 1), (9, 1), (8, 0), (8, 2), (0, 0)])
def test_rows_of_another_length(size: int, rows: int) -> None:
    reader = inputs.InputReader((True, (("x", (2,)),)), ROWS)
    assert reader.read(bytes(8), 1)["x"].shape == (1, 2)  # type: ignore[union-attr]
    with pytest.raises(BrokenFrame):
        reader.read(bytes(size), rows)


def test_an_input_that_the_signature_does_not_have() -> None:
    with pytest.raises(BrokenFrame):
        inputs.InputReader((True, (("z", ()),)), ROWS)
