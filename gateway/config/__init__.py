"""Configuration: defaults < TOML file < GATEWAY_* environment < flags.

``load`` gives the settings in force and where each value came from, or raises ConfigError
with one line that says what is wrong.
"""

from gateway.config.errors import ConfigError
from gateway.config.fields import parse_axis_reference
from gateway.config.load import Loaded, load
from gateway.config.settings import (
    BatchSettings,
    ModelSettings,
    PadSettings,
    RequestLogSettings,
    ResolvedModel,
    Settings,
    ShadowSettings,
    VersionSettings,
)

__all__ = [
    "BatchSettings",
    "ConfigError",
    "Loaded",
    "ModelSettings",
    "PadSettings",
    "RequestLogSettings",
    "ResolvedModel",
    "Settings",
    "ShadowSettings",
    "VersionSettings",
    "load",
    "parse_axis_reference",
]
