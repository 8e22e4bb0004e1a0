"""Answers of REST classify and regress, and which signatures can give them.

Checks, codes and phrases are TF Serving's (classifier.cc, regressor.cc, json_tensor.cc).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gateway.backends.base import Signature, Tensors, TensorSpec
from gateway.codecs.json_write import write_array, write_rows
from gateway.errors import Code, ServingError, invalid_argument

INPUTS = "inputs"
"""The one input of a signature for classify or regress: serialized tf.Examples."""
CLASSES = "classes"
SCORES = "scores"
OUTPUTS = "outputs"

METHODS = {
    "predict": "tensorflow/serving/predict",
    "classify": "tensorflow/serving/classify",
    "regress": "tensorflow/serving/regress",
}
"""The method name that a signature made for an API has."""

_CLASSES_SPEC = TensorSpec(CLASSES, np.dtype(object), "DT_STRING", (None, None))
_SCORES_SPEC = TensorSpec(SCORES, np.dtype(np.float32), "DT_FLOAT", (None, None))
_OUTPUTS_SPEC = TensorSpec(OUTPUTS, np.dtype(np.float32), "DT_FLOAT", (None,))


def encode_classifications(outputs: Tensors, n: int) -> bytes:
    """``{"results": [[["label", score], ...], ...]}`` for ``n`` examples.

    ``classes`` and ``scores`` have the shape ``[n, k]``; without the one labels are empty, without
    the other scores 0. Labels are text, or ``{"b64": "..."}`` where they are not UTF-8. Raises
    ServingError (INVALID_ARGUMENT) for other shapes.
    """
    classes, scores, count = class_columns(outputs, n)
    missing = n * count
    labels = [b'""'] * missing if classes is None else write_rows(classes.ravel(), _CLASSES_SPEC)
    values = [b"0.0"] * missing if scores is None else write_rows(scores.ravel(), _SCORES_SPEC)
    pairs = [b"[%b,%b]" % pair for pair in zip(labels, values, strict=True)]
    rows = [b",".join(pairs[row * count : (row + 1) * count]) for row in range(n)]
    return b'{"results":[[' + b"],[".join(rows) + b"]]}"


def encode_regressions(outputs: Tensors, n: int) -> bytes:
    """``{"results": [v, ...]}`` for ``n`` examples, from an output of shape ``[n]`` or ``[n, 1]``.

    Raises ServingError (INVALID_ARGUMENT) for other shapes.
    """
    values = regression_values(outputs[OUTPUTS], n)
    return b'{"results":' + write_array(values, _OUTPUTS_SPEC) + b"}"


def class_columns(outputs: Tensors, n: int) -> tuple[NDArray[Any] | None, NDArray[Any] | None, int]:
    """Labels and scores of ``n`` examples, one of which may be missing, and the number of classes.

    Raises ServingError (INVALID_ARGUMENT) unless both have the shape ``[n, classes]``.
    """
    classes, scores = outputs.get(CLASSES), outputs.get(SCORES)
    return classes, scores, _class_count(classes, scores, n)


def regression_values(values: NDArray[Any], n: int) -> NDArray[Any]:
    """A flat array with the value of each of ``n`` examples.

    Raises ServingError (INVALID_ARGUMENT) unless ``values`` has the shape ``[n]`` or ``[n, 1]``.
    """
    if values.ndim != 1 and (values.ndim != 2 or values.shape[1] != 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1]"
            f" but got {_text(values)}"
        )
    if len(values) != n:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {n} vs. {len(values)}"
        )
    return values.ravel()


def check_classify(signature: Signature) -> None:
    """Whether ``signature`` takes examples as ``inputs`` and gives ``classes`` (strings),
    ``scores`` (float32) or both.

    Raises ServingError: INVALID_ARGUMENT for wrong numbers and dtypes, FAILED_PRECONDITION for
    other names.
    """
    _check_one_input(signature)
    outputs = signature.outputs
    if len(outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(outputs)}")
    _check_input_name(signature, "classification")
    if CLASSES not in outputs and SCORES not in outputs:
        raise _misnamed(
            "Expected classification signature outputs to contain at least one of"
            f' "{CLASSES}" or "{SCORES}". Signature was: {_names(outputs)}'
        )
    for expected in (_CLASSES_SPEC, _SCORES_SPEC):
        _check_output_dtype(outputs, expected, f"{expected.name} ")


def check_regress(signature: Signature) -> None:
    """Whether ``signature`` takes examples as ``inputs`` and gives ``outputs`` (float32).

    Raises ServingError: INVALID_ARGUMENT for wrong numbers and dtypes, FAILED_PRECONDITION for
    other names.
    """
    _check_one_input(signature)
    if len(signature.outputs) != 1:
        raise invalid_argument(f"Expected one output Tensor. Found: {_names(signature.outputs)}")
    _check_input_name(signature, "regression")
    if OUTPUTS not in signature.outputs:
        raise _misnamed(
            f'No regression outputs found in SignatureDef: expected "{OUTPUTS}",'
            f" got {_names(signature.outputs)}"
        )
    _check_output_dtype(signature.outputs, _OUTPUTS_SPEC, "output ")


def check_method_name(signature: Signature, api: Literal["predict", "classify", "regress"]) -> None:
    """What ``--enable_signature_method_name_check`` asks for: a signature made for ``api``.

    Raises ServingError: INVALID_ARGUMENT, for predict INTERNAL.
    """
    was = f". Was: {signature.method_name}"
    if api == "predict":
        if signature.method_name not in METHODS.values():
            names = ", ".join(METHODS.values())
            phrase = f"Expected prediction signature method_name to be one of {{{names}}}"
            raise ServingError(Code.INTERNAL, phrase + was)
    elif signature.method_name != METHODS[api]:
        kind = "classification" if api == "classify" else "regression"
        phrase = f"Expected {kind} signature method_name to be {METHODS[api]}"
        raise invalid_argument(phrase + was)


def no_signature(name: str) -> ServingError:
    """What classify and regress say of a signature that the model does not have."""
    return invalid_argument(f"No signature was found with the name: {name}")


def _class_count(classes: NDArray[Any] | None, scores: NDArray[Any] | None, n: int) -> int:
    counts: list[int] = []
    for alias, output in ((CLASSES, classes), (SCORES, scores)):
        if output is None:
            continue
        if output.ndim != 2:
            raise invalid_argument(
                "Expected Tensor shape: [batch_size num_classes] but got"
                f' {_text(output)} (output "{alias}")'
            )
        if len(output) != n:
            raise invalid_argument(f"Expected {alias} output batch size of {n}. Got: {len(output)}")
        counts.append(output.shape[1])
    if len(set(counts)) > 1:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {counts[0]} vs. {counts[1]}"
        )
    return counts[0]


def _check_one_input(signature: Signature) -> None:
    if len(signature.inputs) != 1:
        raise invalid_argument(f"Expected one input Tensor. Found: {_names(signature.inputs)}")


def _check_input_name(signature: Signature, kind: str) -> None:
    """The declared dtype is left to the run: TF Serving does not look at it, and there are exports
    that declare floats where their graph parses examples."""
    if INPUTS not in signature.inputs:
        raise _misnamed(
            f'No {kind} inputs found in SignatureDef: expected "{INPUTS}",'
            f" got {_names(signature.inputs)}"
        )


def _check_output_dtype(
    outputs: Mapping[str, TensorSpec], expected: TensorSpec, which: str
) -> None:
    spec = outputs.get(expected.name, expected)
    if spec.type_name != expected.type_name:
        raise invalid_argument(
            f"Expected {which}Tensor of {expected.type_name}. Got: {spec.type_name}"
        )


def _misnamed(message: str) -> ServingError:
    return ServingError(Code.FAILED_PRECONDITION, message)


def _names(specs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(specs) or "none"


def _text(array: NDArray[Any]) -> str:
    return f"[{','.join(map(str, array.shape))}]"
