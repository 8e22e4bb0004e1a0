"""The one error of configuration."""

from __future__ import annotations


class ConfigError(Exception):
    """The configuration cannot be used; ``str(error)`` is one line for the operator.

    It names the setting, what is wrong, the value that came and where it came from.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))
