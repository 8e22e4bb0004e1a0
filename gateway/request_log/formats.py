"""The forms that a request log can have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.request_log.entry import Entry
from gateway.request_log.json_lines import intact_lines, json_line, starts_like_json_lines
from gateway.request_log.rotating_file import Intact
from gateway.request_log.tf_records import (
    intact_records,
    prediction_log_record,
    starts_like_tf_records,
)


@dataclass(frozen=True, slots=True)
class Format:
    """How entries become a file."""

    name: str
    encode: Callable[[Entry], bytes]
    """One whole record."""
    starts_like: Callable[[bytes], bool]
    """Whether a file with these first bytes may be one of this format, perhaps torn."""
    intact: Intact
    needs_arrays: bool
    """Entries need inputs and outputs as arrays, not the bodies."""
    takes_failures: bool
    """Requests that failed have an entry."""


FORMATS = {
    "jsonl": Format(
        "jsonl",
        json_line,
        starts_like_json_lines,
        intact_lines,
        needs_arrays=False,
        takes_failures=True,
    ),
    "tfrecord": Format(
        "tfrecord",
        prediction_log_record,
        starts_like_tf_records,
        intact_records,
        needs_arrays=True,
        takes_failures=False,
    ),
}
