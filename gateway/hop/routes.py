"""What a front may decode of one model: signatures by the ways in which a request can name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.backends.base import Signature
from gateway.hop.frames import BrokenFrame
from gateway.hop.signatures import Json, read_signature


class Target(NamedTuple):
    """How a request names a version."""

    version: int | None
    label: str | None


Digests = Mapping[str, str]
"""Of the signatures, by their names."""


class KnownSignature(NamedTuple):
    """A signature that a front reads requests by."""

    digest: str
    signature: Signature
    optional: frozenset[str]


class ModelRoutes(NamedTuple):
    """All there is for a front to know of a model."""

    name: str
    targets: Mapping[Target, Mapping[str, KnownSignature]]
    """By target the signatures by name. What is not there is for the engine alone."""


def routes_json(
    name: str, targets: Mapping[Target, Digests], signatures: Mapping[str, Json]
) -> Json:
    """As JSON; ``signatures`` by digest."""
    return {
        "name": name,
        "targets": [[*target, digests] for target, digests in targets.items()],
        "signatures": signatures,
    }


def read_routes(said: Any) -> ModelRoutes:
    """What ``routes_json`` told. Raises BrokenFrame."""
    try:
        signatures = said["signatures"]
        targets = {
            Target(version, label): {
                signature: KnownSignature(digest, *read_signature(signature, signatures[digest]))
                for signature, digest in digests.items()
            }
            for version, label, digests in said["targets"]
        }
        name = said["name"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BrokenFrame("no routes") from error
    return ModelRoutes(name, targets)
