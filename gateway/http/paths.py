"""TF Serving's URLs (http_rest_api_handler): matched as a whole, query string included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from gateway.errors import ServingError, invalid_argument

PREFIX = "/v1/"

_VERSION_OR_LABEL = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_INFERENCE = re.compile(
    rf"(?ia:/v1/models/)(?P<name>[^/:]+)(?ia:{_VERSION_OR_LABEL}):(?P<verb>predict|classify|regress)",
    re.ASCII,
)
_DESCRIPTION = re.compile(
    rf"(?ia:/v1/models)(?:/(?P<name>[^/:]+))?(?ia:{_VERSION_OR_LABEL})(?P<metadata>(?ia:/metadata))?",
    re.ASCII,
)
_INT64_MAX = 2**63 - 1
_INT64_DIGITS = 19


@dataclass(frozen=True, slots=True)
class ModelPath:
    """What a URL under /v1/models says."""

    verb: str
    """predict, classify, regress, status, metadata or list."""
    name: str
    """Empty for the list of all models."""
    version: int | None = None
    label: str | None = None


@lru_cache(maxsize=1024)
def parse_model_path(method: str, path: str) -> ModelPath:
    """The call that ``method`` and the raw path (percent-encoded, with query string) make.

    Raises ServingError (400) for anything else.
    """
    match = None
    if method == "POST":
        match = _INFERENCE.fullmatch(path)
    elif method == "GET":
        match = _DESCRIPTION.fullmatch(path)
    if match is None:
        raise _malformed(method, path)
    parts = match.groupdict()
    if parts["name"] is None:
        return _without_name(parts)
    label = unquote(parts["label"]) if parts["label"] is not None else None
    verb = parts.get("verb") or ("metadata" if parts.get("metadata") else "status")
    return ModelPath(verb, unquote(parts["name"]), _version(parts["version"]), label)


def _without_name(parts: Mapping[str, str | None]) -> ModelPath:
    """``/v1/models``, which TF Serving refuses, is the list; with anything behind it, it lacks the
    name that TF Serving misses."""
    if any(parts.values()):
        raise invalid_argument("Missing model name in request.")
    return ModelPath("list", "")


def _version(digits: str | None) -> int | None:
    """The number, leading zeros or not. Raises ServingError for one that is no int64."""
    if digits is None:
        return None
    # A path may hold more digits than ``int`` reads.
    significant = digits.lstrip("0") or "0"
    if len(significant) > _INT64_DIGITS or int(significant) > _INT64_MAX:
        raise invalid_argument(f"Model version is beyond the 64-bit range: {digits[:40]}")
    return int(significant)


def _malformed(method: str, path: str) -> ServingError:
    return invalid_argument(f"Malformed request: {method} {path[:512]}")
