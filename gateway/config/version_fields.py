"""Types of the settings that name versions."""

from __future__ import annotations

import math
import re
from typing import Annotated, TypeGuard

from pydantic import AfterValidator, Field, PlainValidator

from gateway.models.version_policy import parse_version_policy

LARGEST_VERSION = 2**63 - 1
"""Versions are int64 (TF Serving, core/servable_id.h)."""

_TARGET = 'must be a version, or weights by version like {"1": 0.9, "2": 0.1}'


def pinned_versions(policy: str) -> frozenset[int] | None:
    """The versions of a policy ``"specific:..."``; None when it names none."""
    parsed = parse_version_policy(policy)
    return parsed.versions if parsed.kind == "specific" else None


def _policy(text: str) -> str:
    parse_version_policy(text)
    return text


def _label(text: str) -> str:
    if not text or "/" in text or ":" in text:
        raise ValueError("must be a label: not empty, without / and : (it is part of URLs)")
    return text


def _label_target(value: object) -> int | dict[int, float]:
    if _is_version(value):
        return value
    if not isinstance(value, dict):
        raise ValueError(_TARGET)
    weights = {_version_key(version): weight for version, weight in value.items()}
    if not weights:
        raise ValueError("must have a weight for at least one version")
    if len(weights) < len(value):
        raise ValueError("must not name a version twice")
    return {version: _weight(weight) for version, weight in weights.items()}


def _is_version(value: object) -> TypeGuard[int]:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return 0 <= value <= LARGEST_VERSION


def _version_key(key: object) -> int:
    """TOML and JSON have only text for keys."""
    version = int(key) if isinstance(key, str) and re.fullmatch("[0-9]+", key) else key
    if not _is_version(version):
        raise ValueError(_TARGET)
    return version


def _weight(weight: object) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ValueError("must have numbers as weights")
    if not 0 < weight < math.inf:
        raise ValueError("must have positive, finite weights")
    return float(weight)


Version = Annotated[int, Field(ge=0, le=LARGEST_VERSION)]
VersionPolicyText = Annotated[str, AfterValidator(_policy)]
Label = Annotated[str, AfterValidator(_label)]
LabelTarget = Annotated[int | dict[int, float], PlainValidator(_label_target)]
