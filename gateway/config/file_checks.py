"""Files that are read later: they must be readable when the server starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.config.errors import ConfigError
from gateway.config.settings import Settings
from gateway.config.wording import quoted

RUNTIME_FILES = (
    "ssl_certificate_file",
    "ssl_key_file",
    "ssl_client_ca_file",
    "tensorflow_session_config_file",
)
"""Settings of the server that name such a file."""


def refuse_unreadable(settings: Settings, origins: Mapping[str, str]) -> None:
    """Raises ConfigError for a file of RUNTIME_FILES that cannot be opened."""
    for name in RUNTIME_FILES:
        file = getattr(settings, name)
        if not file:
            continue
        try:
            Path(file).open("rb").close()
        except OSError as error:
            line = f"{name} = {quoted(file)} ({origins[name]}) cannot be read: {error.strerror}"
            raise ConfigError(line) from None
