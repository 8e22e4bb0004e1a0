"""Signatures as JSON: what a front needs to read requests and write answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from gateway.backends.base import Signature, TensorSpec
from gateway.hop.frames import BrokenFrame
from gateway.hop.values import is_sendable, read_dtype

Json = Mapping[str, Any]


def signature_json(signature: Signature, optional: Collection[str]) -> Json | None:
    """The signature, of whose inputs the ``optional`` ones may be left out; None when values of it
    cannot be sent."""
    specs = [*signature.inputs.values(), *signature.outputs.values()]
    if not all(is_sendable(spec.dtype) for spec in specs):
        return None
    return {
        "inputs": [_spec_json(*member) for member in signature.inputs.items()],
        "outputs": [_spec_json(*member) for member in signature.outputs.items()],
        "optional": sorted(optional),
    }


def digest(signature: Json) -> str:
    """The same for equal signatures, whichever version of a model has them."""
    return blake2b(orjson.dumps(signature), digest_size=16).hexdigest()


def read_signature(name: str, said: Any) -> tuple[Signature, frozenset[str]]:
    """A signature and its optional inputs. Raises BrokenFrame."""
    try:
        inputs = dict(_read_spec(*spec) for spec in said["inputs"])
        outputs = dict(_read_spec(*spec) for spec in said["outputs"])
        optional = frozenset(said["optional"])
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenFrame("no signature") from error
    return Signature(name, inputs, outputs), optional


def _spec_json(alias: str, spec: TensorSpec) -> tuple[Any, ...]:
    return alias, spec.name, spec.dtype.str, spec.type_name, spec.shape


def _read_spec(
    alias: str, name: str, dtype: str, type_name: str, shape: Any
) -> tuple[str, TensorSpec]:
    sizes = None if shape is None else tuple(shape)
    return alias, TensorSpec(name, read_dtype(dtype), type_name, sizes)
