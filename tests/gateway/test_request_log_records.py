"""Entries as TFRecords of PredictionLog, read with TF Serving's own messages."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from gateway.exchange import Exchange
from gateway.request_log.entry import Entry
from gateway.request_log.rotating_file import RotatingFile
from gateway.request_log.tf_records import intact_records, prediction_log_record
from tests.gateway.exchanges import TEXTS, exchange, signature
from tests.gateway.fake_backend import by_name, spec
from tests.saved_models import several_inputs_and_outputs

pytestmark = pytest.mark.tf

HEADER_BYTES = 12


def record(logged: Exchange, rate: float = 0.25) -> bytes:
    return prediction_log_record(Entry.of(logged, 1_700_000_000.9, rate, arrays=True))


def records(path: Path) -> list[bytes]:
    """By TensorFlow's reader, which checks all CRCs."""
    return [bytes(data) for data in tf.compat.v1.io.tf_record_iterator(str(path))]


def logs(path: Path) -> list[Any]:
    return [PredictionLog.FromString(data) for data in records(path)]


@pytest.fixture
def logged(tmp_path: Path) -> Callable[[Exchange], Any]:
    """What TensorFlow reads when an exchange is logged."""

    def write_and_read(one: Exchange) -> Any:
        path = tmp_path / "one"
        path.write_bytes(record(one))
        (log,) = logs(path)
        return log

    return write_and_read


def test_a_predict_request(logged: Callable[[Exchange], Any]) -> None:
    of = signature("other", by_name(spec("x"), TEXTS), by_name(spec("y", np.int64, 2)))
    texts = np.array([b"a", b"\xff"], object)
    log = logged(
        exchange(
            of=of,
            inputs={"x": np.array([1.5, 2.5], np.float32), "text": texts},
            outputs={"y": np.array([[1, 2], [3, 4]])},
        )
    )
    assert log.WhichOneof("log_type") == "predict_log"
    request, response = log.predict_log.request, log.predict_log.response
    assert set(request.inputs) == {"x", "text"}
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["x"]), [1.5, 2.5])
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["text"]), texts)
    assert set(response.outputs) == {"y"}
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["y"]), [[1, 2], [3, 4]])
    assert response.outputs["y"].dtype == tf.int64.as_datatype_enum


@pytest.mark.parametrize("pinned", [False, True])
def test_which_servable_answered(logged: Callable[[Exchange], Any], *, pinned: bool) -> None:
    log = logged(exchange("m", 7, of=signature("other"), pinned=pinned))
    for model_spec in (log.log_metadata.model_spec, log.predict_log.response.model_spec):
        assert (model_spec.name, model_spec.version.value) == ("m", 7)
        assert model_spec.signature_name == "other"
    asked = log.predict_log.request.model_spec
    assert (asked.name, asked.signature_name) == ("m", "other")
    assert asked.HasField("version") is pinned
    assert log.log_metadata.sampling_config.sampling_rate == 0.25
    assert log.log_metadata.timestamp_secs == 1_700_000_000


def test_rows_as_lists_become_arrays_of_the_declared_dtype(
    logged: Callable[[Exchange], Any],
) -> None:
    of = signature(inputs=by_name(spec("x", np.float32, 2), TEXTS))
    log = logged(exchange(of=of, inputs={"x": [[1, 2], [3, 4]], "text": [b"a", b"b"]}))
    inputs = log.predict_log.request.inputs
    assert tf.make_ndarray(inputs["x"]).dtype == np.float32
    assert tf.make_ndarray(inputs["x"]).tolist() == [[1, 2], [3, 4]]
    assert tf.make_ndarray(inputs["text"]).tolist() == [b"a", b"b"]


EXAMPLES = [
    tf.train.Example(
        features=tf.train.Features(
            feature={"x": tf.train.Feature(float_list=tf.train.FloatList(value=[value]))}
        )
    )
    for value in (1.0, 2.0)
]
SERIALIZED = {"inputs": np.array([one.SerializeToString() for one in EXAMPLES], object)}


TAKES_EXAMPLES = signature(inputs={"inputs": TEXTS})


def test_a_classify_request(logged: Callable[[Exchange], Any]) -> None:
    log = logged(
        exchange(
            api="classify",
            of=TAKES_EXAMPLES,
            inputs=SERIALIZED,
            outputs={
                "classes": np.array([[b"cat", b"dog"], [b"cow", b"owl"]], object),
                "scores": np.array([[0.5, 0.25], [0.75, 1.0]], np.float32),
            },
        )
    ).classify_log
    assert list(log.request.input.example_list.examples) == EXAMPLES
    assert [
        [(one.label, one.score) for one in row.classes]
        for row in log.response.result.classifications
    ] == [[("cat", 0.5), ("dog", 0.25)], [("cow", 0.75), ("owl", 1.0)]]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({"classes": np.array([[b"cat"], [b"dog"]], object)}, [("cat", 0.0), ("dog", 0.0)]),
        ({"scores": np.array([[0.5], [0.75]], np.float32)}, [("", 0.5), ("", 0.75)]),
    ],
)
def test_classes_or_scores_alone(
    logged: Callable[[Exchange], Any], outputs: Any, expected: list[tuple[str, float]]
) -> None:
    log = logged(exchange(api="classify", of=TAKES_EXAMPLES, inputs=SERIALIZED, outputs=outputs))
    rows = log.classify_log.response.result.classifications
    assert [(row.classes[0].label, row.classes[0].score) for row in rows] == expected


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_a_regress_request(logged: Callable[[Exchange], Any], shape: tuple[int, ...]) -> None:
    outputs = {"outputs": np.array([0.5, 0.25], np.float32).reshape(shape)}
    log = logged(exchange(api="regress", of=TAKES_EXAMPLES, inputs=SERIALIZED, outputs=outputs))
    assert list(log.regress_log.request.input.example_list.examples) == EXAMPLES
    values = [one.value for one in log.regress_log.response.result.regressions]
    assert values == [0.5, 0.25]


def test_a_log_can_be_replayed_as_warm_up(tmp_path: Path) -> None:
    """Every request of the file asks the model for what it answered before."""
    several_inputs_and_outputs(tmp_path / "1")
    replay = tmp_path / "1" / "assets.extra" / "tf_serving_warmup_requests"
    model = tf.saved_model.load(str(tmp_path / "1"))
    run = model.signatures["serving_default"]
    of = signature(
        inputs=by_name(spec("a"), spec("b", np.int64, 2), spec("s", np.object_)),
        outputs=by_name(spec("total"), spec("doubled", np.int64, 2), spec("tag", np.object_)),
    )
    for rows in (1, 3):
        inputs: dict[str, Any] = {
            "a": np.arange(rows, dtype=np.float32),
            "b": np.arange(2 * rows).reshape(rows, 2),
            "s": np.array([b"s%d" % row for row in range(rows)], object),
        }
        answer = run(**{alias: tf.constant(value) for alias, value in inputs.items()})
        outputs = {alias: value.numpy() for alias, value in answer.items()}
        append(replay, record(exchange(of=of, inputs=inputs, outputs=outputs)))
    replayed = [log.predict_log for log in logs(replay)]
    assert len(replayed) == 2
    for log in replayed:
        assert log.request.model_spec.signature_name == "serving_default"
        given = {alias: tf.make_ndarray(proto) for alias, proto in log.request.inputs.items()}
        answer = run(**{alias: tf.constant(value) for alias, value in given.items()})
        assert set(answer) == set(log.response.outputs)
        for alias, value in answer.items():
            logged = tf.make_ndarray(log.response.outputs[alias])
            np.testing.assert_array_equal(value.numpy(), logged)


def append(path: Path, *more: bytes) -> None:
    file = RotatingFile(path, intact_records, 10**6, 3)
    file.append(deque(more))
    file.close()


def numbered(number: int) -> bytes:
    return record(exchange(version=number))


def versions(path: Path) -> list[int]:
    return [log.log_metadata.model_spec.version.value for log in logs(path)]


@pytest.mark.parametrize("complete", [0, 1, 2])
def test_a_torn_record_is_cut_off_wherever_it_ends(tmp_path: Path, complete: int) -> None:
    before = b"".join(numbered(number) for number in range(complete))
    torn = numbered(99)
    for length in range(len(torn)):
        path = tmp_path / f"{length}"
        path.write_bytes(before + torn[:length])
        append(path, numbered(7))
        assert versions(path) == [*range(complete), 7]
    assert len(list(tmp_path.iterdir())) == len(torn)


def test_an_intact_file_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, numbered(1), numbered(2))
    append(path, numbered(3))
    assert versions(path) == [1, 2, 3]


def test_a_last_record_whose_data_is_damaged_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "log"
    torn = numbered(2)
    path.write_bytes(numbered(1) + torn[:HEADER_BYTES] + bytes(len(torn) - HEADER_BYTES))
    append(path, numbered(3))
    assert versions(path) == [1, 3]


@pytest.mark.parametrize("damage", [bytes(100), b"x" * 100, bytes(4096)])
@pytest.mark.parametrize("complete", [0, 2])
def test_damaged_headers_put_the_file_aside(tmp_path: Path, complete: int, damage: bytes) -> None:
    path = tmp_path / "log"
    damaged = b"".join(numbered(number) for number in range(complete)) + damage
    path.write_bytes(damaged)
    append(path, numbered(3))
    assert versions(path) == [3]
    assert (tmp_path / "log.1").read_bytes() == damaged


def test_nothing_but_the_file_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    append(path, numbered(1))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
