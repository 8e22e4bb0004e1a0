"""Recorded requests, read from a version folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.errors import Code
from gateway.models.warmup_records import WARMUP_FILE, Task, read_warmup_calls
from gateway.protos.serving import PredictionLog
from gateway.tfrecord import frame
from tests.gateway.warmup_logs import multi_log, predict_log, refusal, write, write_logs


def test_no_file_no_calls(tmp_path: Path) -> None:
    assert read_warmup_calls(tmp_path) == []


def test_a_tensor_of_one_repeated_value_may_be_large(tmp_path: Path) -> None:
    log = predict_log(x=[7])
    log.predict_log.request.inputs["x"].tensor_shape.dim[0].size = 2**24 + 1
    (call,) = read_warmup_calls(write_logs(tmp_path, [log]))
    assert call.inputs["x"].shape == (2**24 + 1,)
    assert call.inputs["x"][-1] == 7


def test_a_log_without_a_request_is_passed_over(tmp_path: Path) -> None:
    (call,) = read_warmup_calls(write_logs(tmp_path, [PredictionLog(), predict_log(x=[1])]))
    assert call.number == 2


def test_a_thousand_records_and_one(tmp_path: Path) -> None:
    folder = write_logs(tmp_path, [predict_log(x=[1])] * 1001)
    code, message = refusal(lambda: read_warmup_calls(folder))
    assert code is Code.INVALID_ARGUMENT
    assert message == "Number of warmup records exceeds the maximum (1000)"


def test_a_thousand_records(tmp_path: Path) -> None:
    assert len(read_warmup_calls(write_logs(tmp_path, [predict_log(x=[1])] * 1000))) == 1000


@pytest.mark.parametrize(
    ("data", "code", "phrase"),
    [
        (
            b"this is no TFRecord file",
            Code.DATA_LOSS,
            "warm-up requests: corrupted record at 0."
            " Please verify your warmup data is in TFRecord format.",
        ),
        (frame(b"")[:-1], Code.DATA_LOSS, "truncated record at 0"),
        (
            frame(b"") + frame(b"\xff"),
            Code.INVALID_ARGUMENT,
            "warm-up record 2: Failed to parse: it is no PredictionLog",
        ),
    ],
)
def test_broken_files(tmp_path: Path, data: bytes, code: Code, phrase: str) -> None:
    folder = write(tmp_path, data)
    got, message = refusal(lambda: read_warmup_calls(folder))
    assert got is code
    assert phrase in message
    assert str(folder) not in message


MISFIT = {"dtype": 1, "tensor_content": b"123"}


@pytest.mark.parametrize(
    ("log", "code", "phrase"),
    [
        (
            PredictionLog(session_run_log={}),
            Code.UNIMPLEMENTED,
            "Unsupported log_type for warmup: 5 (session_run_log)",
        ),
        (
            PredictionLog(predict_streamed_log={}),
            Code.UNIMPLEMENTED,
            "Unsupported log_type for warmup: 7 (predict_streamed_log)",
        ),
        (
            PredictionLog(predict_log={"request": {"inputs": {"x": MISFIT}}}),
            Code.INVALID_ARGUMENT,
            'input "x" has 3 bytes in tensor_content',
        ),
        (PredictionLog(classify_log={}), Code.INVALID_ARGUMENT, "Input is empty."),
        (
            multi_log("predict"),
            Code.UNIMPLEMENTED,
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        (
            multi_log("classify", "regress", signature_name="s1"),
            Code.INVALID_ARGUMENT,
            "Duplicate evaluation of signature: s1",
        ),
        (
            multi_log("classify", name=""),
            Code.INVALID_ARGUMENT,
            "Found ModelSpec with an empty model name.",
        ),
        (
            multi_log("classify", "regress", name="other"),
            Code.INVALID_ARGUMENT,
            "must access the same model name",
        ),
    ],
)
def test_requests_that_cannot_be_replayed(
    tmp_path: Path, log: Any, code: Code, phrase: str
) -> None:
    folder = write_logs(tmp_path, [predict_log(x=[1]), log])
    got, message = refusal(lambda: read_warmup_calls(folder))
    assert got is code
    assert message.startswith("warm-up record 2: ")
    assert phrase in message


@pytest.mark.tf
def test_a_file_that_the_official_packages_wrote(tmp_path: Path) -> None:
    from gateway.backends.tensorflow import import_tensorflow

    tf = import_tensorflow()
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = "s"
    values = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto(values))
    folder = write(tmp_path, b"")
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as writer:
        writer.write(log.SerializeToString())
    (call,) = read_warmup_calls(folder)
    assert call.tasks == (Task("predict", "s"),)
    assert call.inputs["x"].tolist() == values.tolist()
