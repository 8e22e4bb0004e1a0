"""Recorded requests in a version folder, replayed before the version takes its first one.

The rules are TF Serving's (saved_model_warmup.md): at most 1000 records, and whatever is wrong
with one of them fails the load. What was answered when they were recorded plays no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from gateway.backends.base import RunFunction, Signature
from gateway.codecs.example_input import serialized_examples
from gateway.codecs.predict_json import DEFAULT_SIGNATURE
from gateway.codecs.results_json import (
    INPUTS,
    METHODS,
    check_classify,
    check_regress,
    no_signature,
)
from gateway.codecs.tensor_proto import MAX_MESSAGE_BYTES, array_of
from gateway.errors import Code, ServingError, invalid_argument
from gateway.protos.serving import PredictionLog
from gateway.tfrecord import read_records

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
"""In a version folder."""
MAX_RECORDS = 1000

Api = Literal["predict", "classify", "regress"]
RecordApi = Literal["predict", "classify", "regress", "multi_inference"]


@dataclass(frozen=True, slots=True)
class Task:
    """One run."""

    api: Api
    signature: str


@dataclass(frozen=True, slots=True)
class WarmupCall:
    """One recorded request."""

    number: int
    """Of the record in its file, from 1."""
    api: RecordApi
    tasks: tuple[Task, ...]
    """One, but for multi-inference any number over the same examples."""
    inputs: Mapping[str, NDArray[Any]]
    """By alias; but for predict these are the serialized tf.Examples, as ``inputs``."""


def read_warmup_calls(version_folder: Path) -> list[WarmupCall]:
    """The recorded requests of a version; none when there is no such file. Blocks.

    Raises ServingError: DATA_LOSS for a file that is damaged or no TFRecord file, INVALID_ARGUMENT
    for a record that holds no valid request or is one too many, UNIMPLEMENTED for a kind of
    request that is not replayed.
    """
    path = version_folder / WARMUP_FILE
    return list(_calls(_records(path))) if path.exists() else []


def check_calls(calls: Iterable[WarmupCall], signatures: Mapping[str, Signature]) -> None:
    """What TF Serving looks at before a run, and a run alone may not notice: whether the model has
    these signatures, with these inputs, fit for these APIs. Raises ServingError, naming the record.
    """
    for call in calls:
        with _naming(call.number):
            for task in call.tasks:
                _check(call, task, signatures)


def replay(
    calls: Iterable[WarmupCall], run_by_signature: Mapping[str, RunFunction], iterations: int
) -> int:
    """Run ``calls`` in order, in the calling thread, each ``iterations`` times (0 means once).

    Returns how many records there were. Raises ServingError when one fails, naming it.
    """
    records = 0
    for call in calls:
        with _naming(call.number):
            for _ in range(max(iterations, 1)):
                _run(call, run_by_signature)
        records += 1
    return records


def _run(call: WarmupCall, run_by_signature: Mapping[str, RunFunction]) -> None:
    for task in call.tasks:
        run = run_by_signature.get(task.signature)
        if run is None:
            raise _no_signature(call, task)
        run(call.inputs)


def _records(path: Path) -> Iterator[bytes]:
    try:
        yield from read_records(path)
    except ServingError as error:
        hint = ". Please verify your warmup data is in TFRecord format."
        message = error.message + hint * (error.code is Code.DATA_LOSS)
        raise ServingError(error.code, f"warm-up requests: {message}") from error


def _calls(records: Iterable[bytes]) -> Iterator[WarmupCall]:
    for number, record in enumerate(records, 1):
        if number > MAX_RECORDS:
            raise invalid_argument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS})")
        with _naming(number):
            call = _call(number, record)
        if call is not None:
            yield call


def _call(number: int, record: bytes) -> WarmupCall | None:
    """None for a log without a request, which TF Serving passes over."""
    try:
        log = PredictionLog.FromString(record)
    except DecodeError:
        raise invalid_argument("Failed to parse: it is no PredictionLog") from None
    kind = log.WhichOneof("log_type")
    if kind is None:
        return None
    if kind not in _READERS:
        field = log.DESCRIPTOR.fields_by_name[kind].number
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {field} ({kind})")
    return _READERS[kind](number, getattr(log, kind).request)


def _predict_call(number: int, request: Any) -> WarmupCall:
    arrays = {
        alias: array_of(proto, what=f'input "{alias}"', max_filled_bytes=MAX_MESSAGE_BYTES)
        for alias, proto in request.inputs.items()
    }
    return WarmupCall(number, "predict", (_task("predict", request.model_spec),), arrays)


def _classify_call(number: int, request: Any) -> WarmupCall:
    task = _task("classify", request.model_spec)
    return WarmupCall(number, "classify", (task,), _examples(request))


def _regress_call(number: int, request: Any) -> WarmupCall:
    task = _task("regress", request.model_spec)
    return WarmupCall(number, "regress", (task,), _examples(request))


def _multi_inference_call(number: int, request: Any) -> WarmupCall:
    """Checks, codes and phrases are TF Serving's (multi_inference.cc)."""
    if not all(task.model_spec.name for task in request.tasks):
        raise invalid_argument("Found ModelSpec with an empty model name.")
    if len({task.model_spec.name for task in request.tasks}) > 1:
        raise invalid_argument(
            "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        )
    tasks = tuple(_task(_api(task.method_name), task.model_spec) for task in request.tasks)
    names = [task.signature for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
    return WarmupCall(number, "multi_inference", tasks, _examples(request))


_READERS: Mapping[str, Callable[[int, Any], WarmupCall]] = {
    "predict_log": _predict_call,
    "classify_log": _classify_call,
    "regress_log": _regress_call,
    "multi_inference_log": _multi_inference_call,
}


def _api(method_name: str) -> Api:
    if method_name == METHODS["classify"]:
        return "classify"
    if method_name == METHODS["regress"]:
        return "regress"
    raise ServingError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method_name}")


def _task(api: Api, model_spec: Any) -> Task:
    return Task(api, model_spec.signature_name or DEFAULT_SIGNATURE)


def _examples(request: Any) -> Mapping[str, NDArray[Any]]:
    return {INPUTS: serialized_examples(request.input)}


def _check(call: WarmupCall, task: Task, signatures: Mapping[str, Signature]) -> None:
    signature = signatures.get(task.signature)
    if signature is None:
        raise _no_signature(call, task)
    if task.api == "classify":
        check_classify(signature)
    elif task.api == "regress":
        check_regress(signature)
    else:
        _check_aliases(call.inputs, signature)


def _check_aliases(inputs: Mapping[str, Any], signature: Signature) -> None:
    extra = sorted(inputs.keys() - signature.inputs.keys())
    missing = sorted(signature.inputs.keys() - inputs.keys() - signature.defaults.keys())
    if extra or missing:
        raise invalid_argument(
            f"inputs do not match signature {signature.name}."
            f" Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
        )


def _no_signature(call: WarmupCall, task: Task) -> ServingError:
    match call.api:
        case "predict":
            message = f'Serving signature key "{task.signature}" not found.'
            return ServingError(Code.FAILED_PRECONDITION, message)
        case "multi_inference":
            return invalid_argument(
                f"Requested signature not found in model graph: {task.signature}"
            )
        case _:
            return no_signature(task.signature)


@contextmanager
def _naming(number: int) -> Iterator[None]:
    """Errors inside are told of the record with this number."""
    try:
        yield
    except ServingError as error:
        raise ServingError(error.code, f"warm-up record {number}: {error.message}") from error
