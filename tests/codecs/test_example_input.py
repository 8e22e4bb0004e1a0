"""Input protos to serialized tf.Examples."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.codecs.example_input import serialized_examples
from gateway.errors import Code, ServingError
from gateway.protos.serving import Input
from gateway.protos.tensors import Example


def example(**features: int) -> Any:
    lists = {name: {"int64_list": {"value": [number]}} for name, number in features.items()}
    return Example(features={"feature": lists})


def test_a_list_of_examples() -> None:
    examples = [example(x=1), example(), example(y=2)]
    array = serialized_examples(Input(example_list={"examples": examples}))
    assert (array.dtype, array.shape) == (object, (3,))
    assert [Example.FromString(serialized) for serialized in array] == examples


def test_an_example_s_own_feature_wins_over_the_context() -> None:
    message = Input(
        example_list_with_context={
            "examples": [example(x=1), example(y=2)],
            "context": example(x=7, z=8),
        }
    )
    first, second = map(Example.FromString, serialized_examples(message))
    assert first == example(x=1, z=8)
    assert second == example(x=7, y=2, z=8)


@pytest.mark.parametrize(
    "message",
    [
        Input(),
        Input(example_list={}),
        Input(example_list_with_context={"context": example(x=1)}),
    ],
)
def test_no_examples(message: Any) -> None:
    with pytest.raises(ServingError, match=r"^Input is empty\.$") as caught:
        serialized_examples(message)
    assert caught.value.code is Code.INVALID_ARGUMENT
