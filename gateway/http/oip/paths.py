"""The protocol's URLs, with those of Triton's extensions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs, unquote

from gateway.errors import ServingError, not_found

PREFIX = "/v2"

_MODEL = r"/models/(?P<model>[^/]+)"
_VERSION = r"(?:/versions/(?P<version>[0-9]{1,19}))?"
_REGION = r"(?:/region/(?P<region>[^/]+))?"
_SYSTEM, _CUDA = "/systemsharedmemory", "/cudasharedmemory"


def _route(pattern: str, **calls: str) -> tuple[re.Pattern[str], Mapping[str, str]]:
    return re.compile(PREFIX + pattern, re.ASCII), calls


_ROUTES = (
    _route(_MODEL + _VERSION + "/infer", POST="ModelInfer"),
    _route("/?", GET="ServerMetadata"),
    _route("/health/live", GET="ServerLive"),
    _route("/health/ready", GET="ServerReady"),
    _route("/models/stats", GET="ModelStatistics"),
    _route(_MODEL + _VERSION, GET="ModelMetadata"),
    _route(_MODEL + _VERSION + "/ready", GET="ModelReady"),
    _route(_MODEL + _VERSION + "/config", GET="ModelConfig"),
    _route(_MODEL + _VERSION + "/stats", GET="ModelStatistics"),
    _route(f"(?:{_MODEL})?/trace/setting", GET="TraceSetting", POST="TraceSettingUpdate"),
    _route("/logging", GET="LogSettings", POST="LogSettingsUpdate"),
    _route("/repository/index", POST="RepositoryIndex"),
    _route(f"/repository{_MODEL}/load", POST="RepositoryModelLoad"),
    _route(f"/repository{_MODEL}/unload", POST="RepositoryModelUnload"),
    _route(_SYSTEM + _REGION + "/status", GET="SystemSharedMemoryStatus"),
    _route(_SYSTEM + _REGION + "/register", POST="SystemSharedMemoryRegister"),
    _route(_SYSTEM + _REGION + "/unregister", POST="SystemSharedMemoryUnregister"),
    _route(_CUDA + _REGION + "/status", GET="CudaSharedMemoryStatus"),
    _route(_CUDA + _REGION + "/register", POST="CudaSharedMemoryRegister"),
    _route(_CUDA + _REGION + "/unregister", POST="CudaSharedMemoryUnregister"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a request's line asks for."""

    call: str
    """Empty: the path is known, but not with this method."""
    allowed: tuple[str, ...] = ()
    """Methods of the path, where there is no ``call``."""
    model: str = ""
    version: str = ""
    region: str = ""
    signature_name: str = ""
    """From the query string; for descriptions of models."""


def is_oip_path(raw_path: str) -> bool:
    """Whether a path, with its query string, belongs to the protocol."""
    return raw_path.startswith(PREFIX) and raw_path[len(PREFIX) : len(PREFIX) + 1] in ("", "/", "?")


@lru_cache(maxsize=1024)
def parse_path(method: str, raw_path: str) -> Target:
    """The call that ``method`` and the raw path (percent-encoded, with query string) make. Raises
    ServingError (404) for a path that is none."""
    path, _, query = raw_path.partition("?")
    for pattern, calls in _ROUTES:
        match = pattern.fullmatch(path)
        if match is not None:
            return _target(match, calls, method, query)
    raise _unknown(path)


def _target(match: re.Match[str], calls: Mapping[str, str], method: str, query: str) -> Target:
    call = calls.get("GET" if method == "HEAD" else method)
    if call is None:
        return Target("", tuple(calls))
    parts = match.groupdict()
    signature = parse_qs(query).get("signature_name", [""]) if query else [""]
    return Target(
        call,
        model=unquote(parts.get("model") or ""),
        version=parts.get("version") or "",
        region=unquote(parts.get("region") or ""),
        signature_name=signature[0],
    )


def _unknown(path: str) -> ServingError:
    return not_found(f"Not found: {path[:512]}")
