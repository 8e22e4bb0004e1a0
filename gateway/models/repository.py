"""What is on disk: the numbered version folders of a base path."""

from __future__ import annotations

import re
from pathlib import Path

import aiofiles.os

from gateway.errors import Code, ServingError

_VERSION = re.compile(r"[0-9]{1,18}")
"""The whole name is digits; leading zeros count for nothing (TF Serving, storage_path)."""


async def find_versions(base_path: Path) -> dict[int, Path]:
    """Version folders by number, in no particular order. Reads the folder off the event loop.

    Names that are no number (``_packages``, ``.tmp``) and plain files are passed over. Two names
    of one number: the last in sorted order wins. Raises ServingError when the folder cannot be
    read; the message does not hold its path.
    """
    try:
        names = await aiofiles.os.listdir(base_path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ServingError(Code.NOT_FOUND, f"the base path cannot be read: {reason}") from error
    versions: dict[int, Path] = {}
    for name in sorted(names):
        path = base_path / name
        if _VERSION.fullmatch(name) and await aiofiles.os.path.isdir(path):
            versions[int(name)] = path
    return versions
