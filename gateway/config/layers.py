"""Layers of settings: flat maps from a setting's place to the value found and its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from gateway.config.wording import Key


class Rank(IntEnum):
    """Who overrides whom; higher wins. What is in no layer has its default."""

    CONTAINER = 1
    """MODEL_NAME and MODEL_BASE_PATH, the contract of TF Serving's container image."""
    TENSORFLOW_SERVING = 2
    """What follows from switches and files of TF Serving and Triton, like enable_batching,
    batching_parameters_file and config.pbtxt, wherever those are given."""
    FILE = 3
    ENVIRONMENT = 4
    FLAG = 5


@dataclass(frozen=True, slots=True)
class Found:
    """A value as its source gave it (decoded, not validated)."""

    value: object
    origin: str
    rank: Rank


Layer = Mapping[Key, Found]


def merge(*layers: Layer) -> dict[Key, Found]:
    """The highest-ranked value of each setting; of equal ranks the later layer's."""
    merged: dict[Key, Found] = {}
    for layer in layers:
        for key, found in layer.items():
            if key not in merged or merged[key].rank <= found.rank:
                merged[key] = found
    return merged


def nest(layer: Layer) -> dict[str, Any]:
    """The tree that the settings' models validate."""
    tree: dict[str, Any] = {}
    for key in sorted(layer, key=len):
        value = layer[key].value
        branch = tree
        for part in key[:-1]:
            branch = branch.setdefault(part, {})
        branch[key[-1]] = dict(value) if isinstance(value, dict) else value
    return tree


def origin_of(layer: Layer, key: Key) -> str:
    """Where the value at ``key``, or the table around it or what is in it, came from."""
    for length in range(len(key), 0, -1):
        found = layer.get(key[:length])
        if found is not None:
            return found.origin
    inside = (found.origin for place, found in layer.items() if place[: len(key)] == key)
    return next(inside, "default")
