"""What the server's log holds, changed while it runs (logging extension)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from gateway.codecs.json_text import quote
from gateway.errors import invalid_argument

_LEVELS = {"log_info": logging.INFO, "log_warning": logging.WARNING, "log_error": logging.ERROR}
_FIXED: dict[str, str] = {"log_file": "", "log_format": "ISO8601"}
"""The log goes to standard error, in the form that it was started with."""
_UINT32_MAX = 2**32 - 1


class LogSettings:
    """The switches, which act on the handlers of the root logger. Lives on the event loop."""

    def __init__(self) -> None:
        root = logging.getLogger()
        self._start_level = root.level
        self._enabled = {key: root.level <= level for key, level in _LEVELS.items()}
        self._verbose = int(root.level <= logging.DEBUG)
        self._filter: logging.Filter | None = None

    def as_json(self) -> dict[str, bool | int | str]:
        """All settings under the protocol's names."""
        return {**self._enabled, "log_verbose_level": self._verbose, **_FIXED}

    def update(self, settings: Mapping[str, Any]) -> dict[str, bool | int | str]:
        """Change those that are named; returns all. Raises ServingError (INVALID_ARGUMENT) and
        changes nothing when one cannot be set."""
        for key, value in settings.items():
            _check(key, value)
        self._enabled |= {key: settings[key] for key in _LEVELS.keys() & settings.keys()}
        self._verbose = settings.get("log_verbose_level", self._verbose)
        self._apply()
        return self.as_json()

    def restore(self) -> None:
        """Leave the log as it was at the start."""
        root = logging.getLogger()
        if self._filter is not None:
            root.setLevel(self._start_level)
            for handler in root.handlers:
                handler.removeFilter(self._filter)
            self._filter = None

    def _apply(self) -> None:
        self.restore()
        root = logging.getLogger()
        wanted = [level for key, level in _LEVELS.items() if self._enabled[key]]
        if self._verbose:
            wanted.append(logging.DEBUG)
        root.setLevel(min(wanted, default=logging.CRITICAL))
        self._filter = _Switches(self._enabled)
        for handler in root.handlers:
            handler.addFilter(self._filter)


class _Switches(logging.Filter):
    """Passes what is switched on; more severe than an error everything is."""

    def __init__(self, enabled: Mapping[str, bool]) -> None:
        super().__init__()
        self._off = {level for key, level in _LEVELS.items() if not enabled[key]}

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno not in self._off


def _check(key: str, value: Any) -> None:
    if key in _FIXED:
        if value != _FIXED[key]:
            raise invalid_argument(f"{key} cannot be set by clients; it is {quote(_FIXED[key])}")
    elif key in _LEVELS:
        if type(value) is not bool:
            raise invalid_argument(f"{key} must be true or false, got {quote(value)}")
    elif key == "log_verbose_level":
        if type(value) is not int or not 0 <= value <= _UINT32_MAX:
            raise invalid_argument(f"{key} must be a whole number, got {quote(value)}")
    else:
        raise invalid_argument(f"unknown log setting {quote(key)}")
