"""The Input proto of classify, regress and multi-inference: serialized tf.Examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import invalid_argument
from gateway.protos.serving import SerializedInput


def serialized_examples(message: Any) -> NDArray[Any]:
    """The examples of an ``Input``, serialized, as an object array of ``bytes``, shape ``[n]``.

    A context stands before each of them, so that an example's own feature wins. Raises ServingError
    (INVALID_ARGUMENT) when there are none (TF Serving, ``InputToSerializedExampleTensor``).
    """
    return examples_of(SerializedInput.FromString(message.SerializeToString()))


def examples_of(unread: Any) -> NDArray[Any]:
    """As ``serialized_examples``, of a ``SerializedInput``."""
    if unread.WhichOneof("kind") == "example_list_with_context":
        context = unread.example_list_with_context.context
        examples = [context + example for example in unread.example_list_with_context.examples]
    else:
        examples = list(unread.example_list.examples)
    if not examples:
        raise invalid_argument("Input is empty.")
    array = np.empty(len(examples), object)
    array[:] = examples
    return array
