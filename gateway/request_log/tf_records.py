"""An entry as a TFRecord of PredictionLog, and where the last complete record of a file ends."""

from __future__ import annotations

import os
import struct
from typing import Any

import numpy as np

from gateway.codecs.tensor_proto import tensor_proto
from gateway.protos.serving import PredictionLog
from gateway.request_log.entry import Entry
from gateway.tfrecord import frame

_LENGTH = struct.Struct("<Q")
_CRC_BYTES = 4
_HEADER_BYTES = _LENGTH.size + _CRC_BYTES
"""A record's length and the CRC of that; its data and the CRC of that follow."""


def prediction_log_record(entry: Entry) -> bytes:
    """A framed PredictionLog of an answered request, as TF Serving logs it.

    A file of these can be replayed as ``assets.extra/tf_serving_warmup_requests``. The request
    names the version only if the client did; ``log_metadata`` and the answer always do.
    """
    log = PredictionLog()
    metadata = log.log_metadata
    _name_servable(metadata.model_spec, entry, version=True)
    metadata.sampling_config.sampling_rate = entry.sampling_rate
    metadata.timestamp_secs = int(entry.time)
    exchange = getattr(log, f"{entry.api}_log")
    _name_servable(exchange.request.model_spec, entry, version=entry.pinned)
    _name_servable(exchange.response.model_spec, entry, version=True)
    _FILL[entry.api](exchange, entry)
    return frame(log.SerializeToString())


def starts_like_tf_records(head: bytes) -> bool:
    """Whether a file that begins with ``head`` may be ours, perhaps torn."""
    header = head[:_HEADER_BYTES]
    return len(header) < _HEADER_BYTES or _is_intact_header(header)


def intact_records(descriptor: int, size: int) -> int | None:
    """Length of the part up to the last complete record, in bytes; None when headers are damaged.

    Reads all headers, but checks only the last record's data: that is what a crash damages.
    """
    last, end = _last_record(descriptor, size)
    if not starts_like_tf_records(os.pread(descriptor, _HEADER_BYTES, end)):
        return None
    record = os.pread(descriptor, end - last, last)
    if record and not _is_intact_header(record[:_HEADER_BYTES]):
        return None
    data = record[_HEADER_BYTES:-_CRC_BYTES]
    return end if not record or frame(data) == record else last


def _last_record(descriptor: int, size: int) -> tuple[int, int]:
    """Where the last record that is not cut short starts and ends; twice the same without one."""
    last = end = 0
    while end + _HEADER_BYTES + _CRC_BYTES <= size:
        (length,) = _LENGTH.unpack(os.pread(descriptor, _LENGTH.size, end))
        after = end + _HEADER_BYTES + length + _CRC_BYTES
        if after > size:
            break
        last, end = end, after
    return last, end


def _is_intact_header(header: bytes) -> bool:
    # A frame ends in the CRC of its data: here the length.
    crc = frame(header[: _LENGTH.size])[-_CRC_BYTES:]
    return header[_LENGTH.size :] == crc


def _name_servable(spec: Any, entry: Entry, *, version: bool) -> None:
    spec.name = entry.model
    spec.signature_name = entry.signature.name
    if version:
        spec.version.value = entry.version


def _fill_predict(log: Any, entry: Entry) -> None:
    for alias, value in entry.inputs.items():
        spec = entry.signature.inputs[alias]
        array = np.asarray(value, spec.dtype)
        log.request.inputs[alias].CopyFrom(tensor_proto(array, spec.type_name))
    for alias, array in entry.outputs.items():
        type_name = entry.signature.outputs[alias].type_name
        log.response.outputs[alias].CopyFrom(tensor_proto(array, type_name))


def _fill_classify(log: Any, entry: Entry) -> None:
    """Of ``classes`` and ``scores``, [rows, classes] both, one may be missing (TF Serving)."""
    _fill_examples(log.request.input, entry)
    labels, scores = (_rows(entry.outputs.get(alias)) for alias in ("classes", "scores"))
    for row in range(max(len(labels), len(scores))):
        classes = log.response.result.classifications.add().classes
        row_labels, row_scores = (values[row] if values else [] for values in (labels, scores))
        for column in range(max(len(row_labels), len(row_scores))):
            added = classes.add()
            if row_labels:
                # A label is text in the message, whatever bytes the model gave it.
                added.label = row_labels[column].decode("utf-8", "replace")
            if row_scores:
                added.score = row_scores[column]


def _fill_regress(log: Any, entry: Entry) -> None:
    _fill_examples(log.request.input, entry)
    for value in np.ravel(entry.outputs["outputs"]).tolist():
        log.response.result.regressions.add().value = value


def _fill_examples(input_: Any, entry: Entry) -> None:
    """The one input of classify and regress: serialized tf.Examples."""
    (examples,) = entry.inputs.values()
    for serialized in np.ravel(np.asarray(examples, object)).tolist():
        input_.example_list.examples.add().MergeFromString(serialized)


def _rows(values: Any) -> list[list[Any]]:
    return [] if values is None else [np.ravel(row).tolist() for row in values]


_FILL = {"predict": _fill_predict, "classify": _fill_classify, "regress": _fill_regress}
