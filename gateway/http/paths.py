"""TF Serving's URLs (http_rest_api_handler): matched as a whole, query string included."""

from __future__ import annotations

import re
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


@dataclass(frozen=True, slots=True)
class ModelPath:
    """What a URL under /v1/models says."""

    verb: str
    """predict, classify, regress, status or metadata."""
    name: str
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
        raise invalid_argument("Missing model name in request.")
    version = int(parts["version"]) if parts["version"] is not None else None
    if version is not None and version > _INT64_MAX:
        raise invalid_argument(f"Model version is beyond the 64-bit range: {parts['version'][:40]}")
    label = unquote(parts["label"]) if parts["label"] is not None else None
    verb = parts.get("verb") or ("metadata" if parts.get("metadata") else "status")
    return ModelPath(verb, unquote(parts["name"]), version, label)


def _malformed(method: str, path: str) -> ServingError:
    return invalid_argument(f"Malformed request: {method} {path[:512]}")
