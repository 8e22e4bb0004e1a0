"""The models that most tests of the HTTP door ask."""

from __future__ import annotations

import numpy as np

from tests.gateway.fake_backend import Content, FakeSignature, by_name
from tests.oip.models import EVERY_MODEL, add_sub, identity, json_input, tensor

A, B = np.arange(4, dtype=np.int32).reshape(1, 4), np.full((1, 4), 10, np.int32)
ADD_SUB = {"inputs": [json_input("a", A, "INT32"), json_input("b", B, "INT32")]}
"""A request to ``add_sub``."""


def scaled(factor: float) -> FakeSignature:
    return FakeSignature(
        lambda inputs: {"y": inputs["x"] * np.float32(factor)},
        by_name(tensor("x", "FP32")),
        by_name(tensor("y", "FP32")),
    )


CONTENTS: dict[str, Content] = {
    **EVERY_MODEL,
    "add_sub": add_sub(),
    "v/1": scaled(1),
    "v/2": scaled(2),
    "signatures": {"serving_default": scaled(3), "other": scaled(4)},
    "lone": {"only": scaled(5)},
    "two": {"a": scaled(1), "b": scaled(1)},
    "image": identity("FP32", 2, 3),
    "plain": FakeSignature(
        lambda inputs: {"y": inputs["x"].copy()},
        by_name(tensor("x", "FP32", None, 2, batched=False)),
        by_name(tensor("y", "FP32", None, 2, batched=False)),
        unbatchable="it has no batch axis",
    ),
}
