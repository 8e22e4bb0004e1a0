"""The messages of gRPC Classify, Regress and MultiInference.

Checks, codes and phrases are TF Serving's (classifier.cc, regressor.cc, multi_inference.cc).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from batching import Outputs
from gateway.codecs.example_input import examples_of
from gateway.codecs.model_spec import Spec, read_spec
from gateway.codecs.results_json import METHODS, OUTPUTS, class_columns, regression_values
from gateway.errors import Code, ServingError, invalid_argument
from gateway.exchange import Api
from gateway.protos.serving import ClassificationResult, RegressionResult
from gateway.protos.unread import UnreadExamplesRequest, UnreadMultiInferenceRequest


class ExamplesMessage(NamedTuple):
    """A ClassificationRequest or RegressionRequest before its model is known."""

    spec: Spec
    input: Any
    """``SerializedInput``"""

    def examples(self) -> NDArray[Any]:
        """See ``examples_of``."""
        return examples_of(self.input)


class Task(NamedTuple):
    """One part of a MultiInferenceRequest."""

    spec: Spec
    kind: Api
    """classify or regress"""


class MultiMessage(NamedTuple):
    """A MultiInferenceRequest before its model is known."""

    tasks: list[Task]
    input: Any
    """``SerializedInput``"""

    def examples(self) -> NDArray[Any]:
        """See ``examples_of``."""
        return examples_of(self.input)


def parse_examples(request: bytes) -> ExamplesMessage:
    """Check what needs no model. Raises ServingError (INVALID_ARGUMENT)."""
    try:
        message = UnreadExamplesRequest.FromString(request)
    except DecodeError:
        raise invalid_argument("the request is no message with an Input of Examples") from None
    return ExamplesMessage(read_spec(message.model_spec), message.input)


def parse_multi_inference(request: bytes) -> MultiMessage:
    """Check what needs no model: all tasks mean one model, and none a signature twice.

    Raises ServingError: INVALID_ARGUMENT, or UNIMPLEMENTED for a method that is neither classify
    nor regress.
    """
    try:
        message = UnreadMultiInferenceRequest.FromString(request)
    except DecodeError:
        raise invalid_argument("the request is no MultiInferenceRequest") from None
    if not message.tasks:
        raise invalid_argument("Inference request contains no tasks.")
    tasks = list(_tasks(message.tasks))
    first = tasks[0].spec
    if any(task.spec.name != first.name for task in tasks):
        raise invalid_argument(
            "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        )
    return MultiMessage(tasks, message.input)


def classification_result(outputs: Outputs, n: int) -> Any:
    """A ClassificationResult for ``n`` examples. Raises ServingError as ``class_columns``."""
    result = ClassificationResult()
    labels, scores, count = class_columns(outputs, n)
    names = [_text(label) for label in labels.ravel().tolist()] if labels is not None else None
    values = scores.ravel().tolist() if scores is not None else None
    for row in range(n):
        classes = result.classifications.add().classes
        for position in range(row * count, (row + 1) * count):
            classes.add(
                label=names[position] if names is not None else "",
                score=values[position] if values is not None else 0.0,
            )
    return result


def regression_result(outputs: Outputs, n: int) -> Any:
    """A RegressionResult for ``n`` examples. Raises ServingError as ``regression_values``."""
    result = RegressionResult()
    for value in regression_values(outputs[OUTPUTS], n).tolist():
        result.regressions.add(value=value)
    return result


def no_such_signature(name: str) -> ServingError:
    """What MultiInference says of a signature that the model does not have."""
    return invalid_argument(f"Requested signature not found in model graph: {name[:256]}")


def _tasks(tasks: Any) -> Iterator[Task]:
    kinds: dict[str, Api] = {METHODS["classify"]: "classify", METHODS["regress"]: "regress"}
    seen: set[str] = set()
    for task in tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        spec = read_spec([task.model_spec.SerializeToString()])
        if spec.signature in seen:
            raise invalid_argument(f"Duplicate evaluation of signature: {spec.signature[:256]}")
        seen.add(spec.signature)
        kind = kinds.get(task.method_name)
        if kind is None:
            method = task.method_name[:256]
            raise ServingError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method}")
        yield Task(spec, kind)


def _text(label: bytes | str) -> str:
    """A label is text in the message, whatever bytes the model gave it."""
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else label
