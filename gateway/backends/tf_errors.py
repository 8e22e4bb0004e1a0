"""The framework's errors as ours: the canonical code is kept, the text is made fit for a client.

Works on anything that has TensorFlow's ``error_code`` and ``message``; imports no framework.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from gateway.errors import Code, ServingError

logger = logging.getLogger(__name__)

MAX_MESSAGE_LENGTH = 512
"""Characters of a framework's message that a client gets to see."""

_CODES = {code.grpc_code: code for code in Code if code is not Code.PAYLOAD_TOO_LARGE}

_FIRST_ROOT_ERROR = re.compile(
    r"\d+ root error\(s\) found\.\s*\(0\) [\w ]+: (?P<text>.*?)(?=\s*\(1\) |\Z)", re.DOTALL
)
_REST_IS_TRACE = re.compile(
    r"\s*(Traceback \(most recent|Original stack trace|Errors may have originated|"
    r"Input Source operations|\d+ successful operations|\d+ derived errors)"
)
_TRACE_LINE = re.compile(
    r"\s*(Graph execution error:$|Detected at node|<stack traces|Node: '|File \"|\[\[.*\]\])"
)
_SOURCE_LINE = re.compile(r" {4}")
_DECORATION = re.compile(
    r"\s*\[\[\{\{.*?\}\}.*?\]\]"  # [[{{node x}}]]
    r"|\{\{(?:function_)?node [^{}]*\}\}\s*"
    r"|\s*\[Op:\w+\]"
    r"|(?<=\w) \([\w/.-]+:\d+\)"  # x (scope/x:0)
    r"| in binary running on \S+(?=\.)"
)
_DEVICE = re.compile(r"/job:\S*?/device:(\w+:\d+)")
_PATH = re.compile(
    r"(?:\b(?!https?:)[a-z][a-z0-9+.-]*:/{1,2}|(?<![\w.:/]))/(?:[^\s/'\"\[\],;:]+/)+"
)


def client_message(text: str) -> str:
    """The first meaningful sentences of a TensorFlow message, on one line.

    Without node names, stack lines and folders (of a path, the file's name remains); at most
    ``MAX_MESSAGE_LENGTH`` characters; empty when nothing is left.
    """
    if several := _FIRST_ROOT_ERROR.search(text):
        text = several["text"]
    text = " ".join(" ".join(_meaningful_lines(text)).split())
    text = _DEVICE.sub(r"\1", _DECORATION.sub("", text))
    text = _PATH.sub("", text).strip()
    return text if len(text) <= MAX_MESSAGE_LENGTH else text[: MAX_MESSAGE_LENGTH - 1] + "…"


def serving_error(error: Exception) -> ServingError:
    """What a client is told of an error that a run raised.

    Errors without a canonical code are logged in full and told as INTERNAL.
    """
    if isinstance(error, ServingError):
        return error
    if isinstance(error, UnicodeDecodeError):
        # A message that quotes a client's bytes, which are no text.
        message = client_message(error.object.decode(errors="replace"))
        return ServingError(Code.INVALID_ARGUMENT, message or "the model failed")
    code = _canonical_code(error)
    if code is None:
        logger.error("a run failed unexpectedly", exc_info=error)
        return ServingError(Code.INTERNAL, "the model failed with an internal error")
    logger.debug("a run failed", exc_info=error)
    text = _text(error)
    if code is Code.CANCELLED and "Session has been closed" in text:
        return ServingError(Code.UNAVAILABLE, "the model version has been unloaded")
    return ServingError(code, client_message(text) or "the model failed")


_LOAD_FAILURES = (
    (
        r"not a valid checkpoint|Read less bytes than requested|file is too short to be an sstable",
        Code.DATA_LOSS,
        "its variables are damaged",
    ),
    (
        r"Op type not registered '([^']+)'",
        Code.UNIMPLEMENTED,
        r"its graph uses the op \1, which this TensorFlow does not have",
    ),
)


def load_error(error: Exception) -> ServingError:
    """Why a SavedModel did not load, in one short sentence; the full text goes to the debug log."""
    if isinstance(error, ServingError):
        return error
    logger.debug("a SavedModel failed to load", exc_info=error)
    text = _text(error)
    for pattern, code, reason in _LOAD_FAILURES:
        if match := re.search(pattern, text):
            return not_loaded(code, match.expand(reason))
    if isinstance(error, UnicodeDecodeError):
        return not_loaded(Code.DATA_LOSS, "its saved_model.pb is damaged")
    code_of_error = _canonical_code(error)
    if code_of_error is Code.DATA_LOSS:  # only checkpoints have checksums
        return not_loaded(code_of_error, "its variables are damaged")
    if code_of_error is not None:
        return not_loaded(code_of_error, client_message(text))
    return not_loaded(Code.INTERNAL, f"{type(error).__name__} (details in the debug log)")


def not_loaded(code: Code, reason: str) -> ServingError:
    """A SavedModel does not load, for ``reason``."""
    return ServingError(code, f"the SavedModel cannot be loaded: {reason}")


def _canonical_code(error: Exception) -> Code | None:
    number = getattr(error, "error_code", None)
    return _CODES.get(number, Code.UNKNOWN) if isinstance(number, int) else None


def _text(error: Exception) -> str:
    return str(getattr(error, "message", None) or error)


def _meaningful_lines(text: str) -> Iterator[str]:
    """Lines before the first trace that belongs to none of TensorFlow's known blocks."""
    in_trace = False
    for line in text.splitlines():
        if _REST_IS_TRACE.match(line):
            return
        if _TRACE_LINE.match(line):
            in_trace = True
        elif not (in_trace and _SOURCE_LINE.match(line)):
            in_trace = False
            yield line
