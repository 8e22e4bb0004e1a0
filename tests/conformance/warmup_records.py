"""Recorded requests of the model ``example_models.recorder``, made with the official protos."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

RECORDS = Path("assets.extra", "tf_serving_warmup_requests")
MULTI_INFERENCE = ("classify", "regress")


def predict_log(*digits: int, signature: str = "") -> Any:
    """Asks for the first of ``digits`` to be written down."""
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    log.predict_log.request.model_spec.name = "m"
    log.predict_log.request.model_spec.signature_name = signature
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto(digits, tf.int64))
    return log


def examples(count: int) -> Any:
    from tensorflow_serving.apis.input_pb2 import Input

    return Input(example_list={"examples": [{}] * count})


def classify_log(count: int) -> Any:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    spec = {"name": "m", "signature_name": "classify"}
    return PredictionLog(classify_log={"request": {"model_spec": spec, "input": examples(count)}})


def regress_log(count: int) -> Any:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    spec = {"name": "m", "signature_name": "regress"}
    return PredictionLog(regress_log={"request": {"model_spec": spec, "input": examples(count)}})


def multi_inference_log(count: int) -> Any:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    tasks = [
        {
            "model_spec": {"name": "m", "signature_name": api},
            "method_name": f"tensorflow/serving/{api}",
        }
        for api in MULTI_INFERENCE
    ]
    request = {"tasks": tasks, "input": examples(count)}
    return PredictionLog(multi_inference_log={"request": request})


def streamed_log() -> Any:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    return PredictionLog(predict_streamed_log={})


def session_run_log() -> Any:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    return PredictionLog(session_run_log={})


def record_file(logs: Iterable[Any]) -> bytes:
    """As TensorFlow's own writer makes it."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "records")
        with tf.io.TFRecordWriter(str(path)) as writer:
            for log in logs:
                writer.write(log.SerializeToString())
        return path.read_bytes()


REPLAYED: dict[str, tuple[Callable[[], list[Any]], int]] = {
    "predict": (lambda: [predict_log(7)], 7),
    "classify": (lambda: [classify_log(3)], 3),
    "regress": (lambda: [regress_log(4)], 4),
    "multi_inference": (lambda: [multi_inference_log(2)], 22),
    "in_order": (
        lambda: [predict_log(1), classify_log(2), predict_log(3, 9), regress_log(4)],
        1234,
    ),
    "thousand": (lambda: [predict_log(0)] * 999 + [predict_log(5)], 5),
    "empty_file": (list, 0),
}
"""By model: its records, and what it has written down afterwards."""

REFUSED: dict[str, tuple[Callable[[], list[Any]], str, str]] = {
    "too_many": (
        lambda: [predict_log(0)] * 1001,
        "INVALID_ARGUMENT",
        "Number of warmup records exceeds the maximum (1000)",
    ),
    "no_signature": (
        lambda: [predict_log(1, signature="S")],
        "FAILED_PRECONDITION",
        'Serving signature key "S" not found.',
    ),
    "wrong_values": (lambda: [predict_log(1), predict_log()], "INVALID_ARGUMENT", "record 2"),
    "streamed": (lambda: [streamed_log()], "UNIMPLEMENTED", "Unsupported log_type for warmup"),
    "session_run": (lambda: [session_run_log()], "UNIMPLEMENTED", "Unsupported log_type"),
    "no_examples": (lambda: [classify_log(0)], "INVALID_ARGUMENT", "Input is empty."),
}
"""By model: its records, and the error of its version."""
