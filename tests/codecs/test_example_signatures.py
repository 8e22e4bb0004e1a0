"""Which signatures can classify and regress."""

from __future__ import annotations

from typing import Literal

import pytest
from codec_helpers import specs

from gateway.backends.base import Signature
from gateway.codecs.results_json import (
    check_classify,
    check_method_name,
    check_regress,
    no_signature,
)
from gateway.errors import Code, ServingError


def signature(inputs: dict[str, str], outputs: dict[str, str], method: str = "") -> Signature:
    return Signature("s", specs(**inputs), specs(**outputs), method)


EXAMPLES = {"inputs": "string"}


@pytest.mark.parametrize(
    "outputs",
    [
        {"classes": "string"},
        {"scores": "float"},
        {"classes": "string", "scores": "float"},
        {"scores": "float", "other": "half"},
    ],
)
def test_signatures_that_classify(outputs: dict[str, str]) -> None:
    check_classify(signature(EXAMPLES, outputs))


@pytest.mark.parametrize("declared", ["string", "float"])
def test_signatures_that_regress(declared: str) -> None:
    check_regress(signature({"inputs": declared}, {"outputs": "float"}))


@pytest.mark.parametrize(
    ("inputs", "outputs", "code", "phrase"),
    [
        ({}, {"scores": "float"}, Code.INVALID_ARGUMENT, "Expected one input Tensor."),
        (EXAMPLES | {"x": "float"}, {"scores": "float"}, Code.INVALID_ARGUMENT, "inputs, x"),
        (
            EXAMPLES,
            {"classes": "string", "scores": "float", "x": "float"},
            Code.INVALID_ARGUMENT,
            "Expected one or two output Tensors, found 3",
        ),
        (
            {"x": "string"},
            {"scores": "float"},
            Code.FAILED_PRECONDITION,
            'No classification inputs found in SignatureDef: expected "inputs", got x',
        ),
        (
            EXAMPLES,
            {"y": "float"},
            Code.FAILED_PRECONDITION,
            "Expected classification signature outputs to contain at least one of"
            ' "classes" or "scores". Signature was: y',
        ),
        (
            EXAMPLES,
            {"classes": "int64"},
            Code.INVALID_ARGUMENT,
            "Expected classes Tensor of DT_STRING. Got: DT_INT64",
        ),
        (
            EXAMPLES,
            {"scores": "double"},
            Code.INVALID_ARGUMENT,
            "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE",
        ),
    ],
)
def test_signatures_that_cannot_classify(
    inputs: dict[str, str], outputs: dict[str, str], code: Code, phrase: str
) -> None:
    with pytest.raises(ServingError) as caught:
        check_classify(signature(inputs, outputs))
    assert caught.value.code is code
    assert phrase in caught.value.message


@pytest.mark.parametrize(
    ("inputs", "outputs", "code", "phrase"),
    [
        ({}, {"outputs": "float"}, Code.INVALID_ARGUMENT, "Expected one input Tensor."),
        (
            EXAMPLES,
            {"outputs": "float", "scores": "float"},
            Code.INVALID_ARGUMENT,
            "Expected one output Tensor.",
        ),
        (
            {"x": "string"},
            {"outputs": "float"},
            Code.FAILED_PRECONDITION,
            'No regression inputs found in SignatureDef: expected "inputs", got x',
        ),
        (
            EXAMPLES,
            {"scores": "float"},
            Code.FAILED_PRECONDITION,
            'No regression outputs found in SignatureDef: expected "outputs", got scores',
        ),
        (
            EXAMPLES,
            {"outputs": "double"},
            Code.INVALID_ARGUMENT,
            "Expected output Tensor of DT_FLOAT. Got: DT_DOUBLE",
        ),
    ],
)
def test_signatures_that_cannot_regress(
    inputs: dict[str, str], outputs: dict[str, str], code: Code, phrase: str
) -> None:
    with pytest.raises(ServingError) as caught:
        check_regress(signature(inputs, outputs))
    assert caught.value.code is code
    assert phrase in caught.value.message


PREFIX = "tensorflow/serving/"


@pytest.mark.parametrize(
    ("api", "method"),
    [
        ("predict", "predict"),
        ("predict", "classify"),
        ("predict", "regress"),
        ("classify", "classify"),
        ("regress", "regress"),
    ],
)
def test_method_names_that_fit(api: Literal["predict", "classify", "regress"], method: str) -> None:
    check_method_name(signature({}, {}, PREFIX + method), api)


@pytest.mark.parametrize(
    ("api", "method", "code", "phrase"),
    [
        (
            "classify",
            "predict",
            Code.INVALID_ARGUMENT,
            "Expected classification signature method_name to be tensorflow/serving/classify."
            " Was: tensorflow/serving/predict",
        ),
        (
            "regress",
            "classify",
            Code.INVALID_ARGUMENT,
            "Expected regression signature method_name to be tensorflow/serving/regress."
            " Was: tensorflow/serving/classify",
        ),
        (
            "predict",
            "other",
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of {tensorflow/serving/predict,"
            " tensorflow/serving/classify, tensorflow/serving/regress}."
            " Was: tensorflow/serving/other",
        ),
    ],
)
def test_method_names_that_do_not_fit(
    api: Literal["predict", "classify", "regress"], method: str, code: Code, phrase: str
) -> None:
    with pytest.raises(ServingError) as caught:
        check_method_name(signature({}, {}, PREFIX + method), api)
    assert (caught.value.code, caught.value.message) == (code, phrase)


def test_an_unknown_signature() -> None:
    error = no_signature("s")
    assert error.code is Code.INVALID_ARGUMENT
    assert error.message == "No signature was found with the name: s"
