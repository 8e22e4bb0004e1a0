"""The TensorFlow call that every adapter makes: the public one, as tutorials show it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

HOST = "127.0.0.1"
MAX_BATCH_SIZE = 32
MAX_WAIT_SECONDS = 0.002


def port() -> int:
    """Where the server has to listen."""
    return int(os.environ["PORT"])


def saved_model() -> SavedModel:
    """The model to serve."""
    return SavedModel(os.environ["SAVED_MODEL"])


class SavedModel:
    """A signature with one input and one output."""

    def __init__(self, folder: str) -> None:
        import tensorflow as tf

        self._constant = tf.constant
        # The loaded object owns the variables: it must live as long as its signature.
        self._loaded = tf.saved_model.load(folder)
        self._signature = self._loaded.signatures["serving_default"]
        ((_, inputs),) = [self._signature.structured_input_signature]
        ((self.input, spec),) = inputs.items()
        (self.output,) = self._signature.structured_outputs
        self.dtype: Any = spec.dtype.as_numpy_dtype
        self._variable_length = spec.shape.rank == 2 and spec.shape[1] is None

    def predict(self, rows: Sequence[Any]) -> list[Any]:
        """Answers to rows as JSON gave them; rows of different lengths are padded with 0."""
        answers: list[Any] = self.run(self.stack(rows)).tolist()
        return answers

    def stack(self, rows: Sequence[Any]) -> Any:
        """An array of rows."""
        if not self._variable_length:
            return np.array(rows, self.dtype)
        stacked = np.zeros((len(rows), max(map(len, rows))), self.dtype)
        for number, row in enumerate(rows):
            stacked[number, : len(row)] = row
        return stacked

    def run(self, array: Any) -> Any:
        """The output array of an input array."""
        return self._signature(**{self.input: self._constant(array)})[self.output].numpy()
