"""TF Serving's ModelSpec: which version and signature a request means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.message import DecodeError

from gateway.errors import invalid_argument
from gateway.protos.serving import ModelSpec

DEFAULT_SIGNATURE = "serving_default"

_LONGEST_CACHED = 256
"""Bytes of a specification that is worth remembering: clients send the same one all day."""


class Spec(NamedTuple):
    """A specification that names its model."""

    name: str
    version: int | None
    label: str | None
    signature_name: str
    """As it was sent, perhaps empty."""

    @property
    def signature(self) -> str:
        """The one that is meant."""
        return self.signature_name or DEFAULT_SIGNATURE


def read_spec(pieces: Sequence[bytes]) -> Spec:
    """A request's specification from its bytes, which may come in pieces.

    Raises ServingError (INVALID_ARGUMENT) when there is none or it names no model (TF Serving,
    server_core).
    """
    if not pieces:
        raise invalid_argument("Missing ModelSpec")
    text = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    spec = _read(text) if len(text) <= _LONGEST_CACHED else _read.__wrapped__(text)
    if spec is None:
        raise invalid_argument("the request's model_spec is no ModelSpec")
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    return spec


@lru_cache(1024)
def write_spec(name: str, version: int, signature_name: str) -> bytes:
    """An answer's specification: the version that ran."""
    spec = ModelSpec(name=name, signature_name=signature_name)
    spec.version.value = version
    data: bytes = spec.SerializeToString()
    return data


@lru_cache(1024)
def _read(text: bytes) -> Spec | None:
    try:
        spec = ModelSpec.FromString(text)
    except DecodeError:
        return None
    chosen = spec.WhichOneof("version_choice")
    return Spec(
        spec.name,
        spec.version.value if chosen == "version" else None,
        spec.version_label if chosen == "version_label" else None,
        spec.signature_name,
    )
