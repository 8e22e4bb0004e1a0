"""Requests that share a batch get the text that each would get by itself, byte for byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from codec_helpers import DTYPES, PROPERTY, signature, spec, specs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from batching import BatchOutputs, OutputRows
from gateway.codecs import json_encode
from gateway.codecs.predict_json import Form, encode_outputs
from gateway.errors import ServingError

byte_strings = st.binary(max_size=4) | st.text(max_size=3).map(str.encode)
Outputs = dict[str, tuple[str, NDArray[Any]]]


@st.composite
def batches(draw: st.DrawFn) -> Outputs:
    """Outputs of one batch by name, with their dtypes."""
    rows = draw(st.integers(1, 5))
    outputs: Outputs = {}
    for name in draw(
        st.lists(st.sampled_from(["y", "z%", 'a"', "t_bytes"]), min_size=1, unique=True)
    ):
        type_name = draw(st.sampled_from(list(DTYPES)))
        shape = (rows, *draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)))
        elements = byte_strings if type_name == "DT_STRING" else None
        array = draw(hnp.arrays(DTYPES[type_name], shape, elements=elements, fill=elements))
        outputs[name] = type_name, array
    return outputs


@PROPERTY
@given(batches(), st.data())
def test_the_same_text(outputs: Outputs, data: st.DataObject) -> None:
    arrays = {name: array for name, (_, array) in outputs.items()}
    rows = len(next(iter(arrays.values())))
    batch = BatchOutputs(arrays)
    of = signature(
        outputs={name: spec(name, type_name) for name, (type_name, _) in outputs.items()}
    )
    for form in Form:
        for _ in range(2):
            start = data.draw(st.integers(0, rows - 1))
            stop = data.draw(st.integers(start + 1, rows))
            own = {name: array[start:stop] for name, array in arrays.items()}
            answer = encode_outputs(OutputRows(batch, start, stop), of, form)
            assert answer == encode_outputs(own, of, form)


@pytest.mark.parametrize("form", Form)
def test_rows_are_written_once(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write_rows = json_encode.write_rows

    def counted(array: NDArray[Any], of: Any) -> list[bytes]:
        written.append(len(array))
        return write_rows(array, of)

    monkeypatch.setattr(json_encode, "write_rows", counted)
    batch = BatchOutputs({"y": np.arange(6, dtype=np.float32).reshape(3, 2)})
    of = signature(outputs=specs(y="float"))
    answers = [encode_outputs(OutputRows(batch, row, row + 1), of, form) for row in range(3)]
    assert written == [3]
    assert [answer.partition(b":")[2] for answer in answers] == [
        b"[[0.0,1.0]]}", b"[[2.0,3.0]]}", b"[[4.0,5.0]]}"
    ]  # fmt: skip


def test_a_large_batch_is_written_request_by_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        json_encode, "write_rows", lambda *arguments: pytest.fail("written as a whole")
    )
    batch = BatchOutputs({"y": np.zeros((10, 1000), np.float32)})
    answer = encode_outputs(OutputRows(batch, 0, 1), signature(outputs=specs(y="float")), Form.ROW)
    assert answer.count(b"0.0") == 1000


def test_a_refusal_is_everybodys() -> None:
    of = signature(outputs=specs(y="half"))
    batch = BatchOutputs({"y": np.zeros((2, 1), np.float16)})
    for row in range(2):
        with pytest.raises(ServingError, match='tensor type: half \\(output "y"\\)'):
            encode_outputs(OutputRows(batch, row, row + 1), of, Form.ROW)
