"""The files that the configuration is read from, and what they say now."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """Reads files by names relative to ``cwd``, and keeps account of them."""

    cwd: Path
    digests: dict[Path, bytes] = field(default_factory=dict)
    """Of all that were asked for, as they were then; empty for what could not be read."""

    def exists(self, name: str) -> bool:
        """Whether ``name`` is a file."""
        path = self.cwd / name
        self.digests[path] = digest(path)
        return path.is_file()

    def folders(self, name: str) -> list[str]:
        """Names of the folders in the folder ``name``, sorted. Raises OSError."""
        path = self.cwd / name
        self.digests[path] = b""
        names = _folders(path)
        self.digests[path] = _digest("/".join(names).encode(errors="surrogateescape"))
        return names

    def read(self, name: str, what: str = "", *, label: str = "") -> str:
        """The text of the file ``name``, which errors call ``label``, if not ``what name``. Raises
        ConfigError."""
        path = self.cwd / name
        self.digests[path] = b""
        content = read_text(path, label or (f"the {what} {name}" if what else name))
        self.digests[path] = _digest(content.encode())
        return content


def read_text(path: Path, label: str) -> str:
    """The text of a configuration file. Raises ConfigError."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{label} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{label} is not UTF-8 text") from None


def digest(path: Path) -> bytes:
    """Of the file's bytes, or of the names of a folder's folders; empty when it cannot be read.

    Not its times: two writes within one tick of the file system's clock look the same.
    """
    try:
        if path.is_dir():
            return _digest("/".join(_folders(path)).encode(errors="surrogateescape"))
        return _digest(path.read_bytes())
    except OSError:
        return b""


def _folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir())


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
