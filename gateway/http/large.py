"""What is too large to be read or written on the event loop."""

from __future__ import annotations

from batching import OutputRows, Outputs

LARGE_BODY_BYTES = 64 * 1024
"""Above this a body is decoded on a thread, so that other connections get turns in between."""
LARGE_OUTPUT_VALUES = 16 * 1024
"""Above this many values an answer is encoded on a thread."""


def is_large(outputs: Outputs) -> bool:
    """Whether encoding them would hold the event loop for long."""
    if type(outputs) is OutputRows and outputs.batch.size <= LARGE_OUTPUT_VALUES:
        return False
    return _values(outputs) > LARGE_OUTPUT_VALUES


def _values(outputs: Outputs) -> int:
    size = 0
    for output in outputs.values():
        size += output.size
    return size
