"""Tensors in POSIX shared memory (system shared memory extension).

Regions are read and written through their descriptors, never mapped: a client that cuts its
region off while it is used gets an error, where a mapping would end the process. What is read is a
copy, which the client cannot change any more.
"""

from __future__ import annotations

import os
import re
import stat
import weakref
from pathlib import Path
from typing import Any, Literal

from gateway.errors import Code, ServingError, invalid_argument, not_found
from gateway.oip.messages import MAX_ID_BYTES, SharedMemoryRange

FOLDER = Path("/dev/shm")  # noqa: S108 - where Linux keeps POSIX shared memory
MAX_REGIONS = 1024
"""Each holds a file descriptor."""

_KEY = re.compile(r"/?(?P<name>[^/\0]{1,255})")
_RESERVED = ("tensorgate_", "triton_python_backend_shm_region_", "sem.")
"""Beginnings of keys that servers and the C library use for themselves."""
_OFF = "client shared memory is turned off: the server must be started with --allow_client_shm"


class Region:
    """A part of a shared memory object. Its descriptor stays open as long as anybody uses it."""

    def __init__(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Blocks for a moment. Raises ServingError."""
        self.name, self.key, self.offset, self.byte_size = name, key, offset, byte_size
        self._descriptor = _open(name, key)
        # Not closed by hand: the number could be another file's while a request still reads it.
        weakref.finalize(self, os.close, self._descriptor)
        self._check_there(self.byte_size)

    def read(self, where: SharedMemoryRange, what: str) -> bytes:
        """The bytes of a tensor that messages call ``what``. Raises ServingError."""
        start = self._start(where, what)
        data = os.pread(self._descriptor, where.byte_size, start)
        if len(data) < where.byte_size:
            raise self._cut_off()
        return data

    def write(self, where: SharedMemoryRange, data: bytes, what: str) -> None:
        """Put a tensor's bytes there. Raises ServingError when there is no room."""
        if len(data) > where.byte_size:
            raise invalid_argument(
                f"shared memory size specified with the request for {what} ({where.byte_size}"
                f" bytes) should be at least {len(data)} bytes to hold the results"
            )
        start = self._start(where, what)
        # Writing beyond the end would make the object grow.
        self._check_there(where.offset + len(data))
        os.pwrite(self._descriptor, data, start)

    def status(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "key": self.key,
            "offset": self.offset,
            "byte_size": self.byte_size,
        }

    def _start(self, where: SharedMemoryRange, what: str) -> int:
        if where.offset + where.byte_size > self.byte_size:
            raise invalid_argument(
                f"{what}: {where.byte_size} bytes at offset {where.offset} are not within shared"
                f" memory region '{self.name}', which has {self.byte_size} bytes"
            )
        return self.offset + where.offset

    def _check_there(self, size: int) -> None:
        if self.offset + size > os.fstat(self._descriptor).st_size:
            raise self._cut_off()

    def _cut_off(self) -> ServingError:
        return invalid_argument(
            f"shared memory region '{self.name}' ends after its object: {self.byte_size} bytes"
            f" at offset {self.offset} are not there"
        )


class SharedMemory:
    """The regions that clients have registered, by name. Lives on the event loop; ``Region``s are
    made, read and written on threads."""

    def __init__(self, *, allowed: bool) -> None:
        self.allowed = allowed
        self._regions: dict[str, Region] = {}

    def check_new(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Whether a region may be made and added. Raises ServingError."""
        self._check_allowed()
        if not 0 < len(name) <= MAX_ID_BYTES:
            raise invalid_argument("a shared memory region needs a name")
        if name in self._regions:
            raise ServingError(
                Code.ALREADY_EXISTS, f"shared memory region '{name}' already in manager"
            )
        if len(self._regions) >= MAX_REGIONS:
            raise invalid_argument(f"at most {MAX_REGIONS} shared memory regions can be registered")
        _check_count("offset", offset, least=0)
        _check_count("byte_size", byte_size, least=1)
        _object_name(name, key)

    def add(self, region: Region) -> None:
        """Raises ServingError (ALREADY_EXISTS) when another of that name came first."""
        if self._regions.setdefault(region.name, region) is not region:
            raise ServingError(
                Code.ALREADY_EXISTS, f"shared memory region '{region.name}' already in manager"
            )

    def find(self, name: str) -> Region:
        """Raises ServingError (NOT_FOUND)."""
        self._check_allowed()
        region = self._regions.get(name)
        if region is None:
            raise not_found(f"Unable to find shared memory region: '{name[:256]}'")
        return region

    def remove(self, name: str) -> None:
        """Forget one region, or all when no name is given; requests that use them go on. A name
        that is unknown is no mistake (Triton)."""
        if name:
            self._regions.pop(name, None)
        else:
            self._regions.clear()

    def status(self, name: str = "") -> list[dict[str, Any]]:
        """All regions, or one; raises ServingError (NOT_FOUND) for an unknown name."""
        if not name:
            return [region.status() for region in self._regions.values()]
        return [self.find(name).status()]

    def _check_allowed(self) -> None:
        if not self.allowed:
            raise ServingError(Code.FAILED_PRECONDITION, _OFF)


def _check_count(key: str, value: object, least: Literal[0, 1]) -> None:
    if type(value) is not int or not least <= value < 2**63:
        raise invalid_argument(f"{key} must be a number of bytes, at least {least}")


def _object_name(name: str, key: str) -> str:
    """The file in ``FOLDER`` that a key means."""
    match = _KEY.fullmatch(key)
    if match is None or match["name"] in (".", ".."):
        raise invalid_argument(
            f"failed to register shared memory region '{name}': its key is no name of a shared"
            " memory object"
        )
    if match["name"].startswith(_RESERVED):
        raise invalid_argument(
            f"cannot register shared memory region '{name}': its key is reserved"
        )
    return match["name"]


def _open(name: str, key: str) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(FOLDER / _object_name(name, key), flags)
    except (OSError, ValueError):
        raise _unable(name) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unable(name)
    return descriptor


def _unable(name: str) -> ServingError:
    return invalid_argument(f"Unable to open shared memory region: '{name}'")
