"""The log of requests with their answers, as JSON lines or as TF Serving's PredictionLog.

The event loop only puts what it wants logged into a bounded queue; one thread encodes and writes.
What the disk cannot take in time is dropped and counted, never waited for.
"""

from gateway.request_log.entry import Counts, Entry
from gateway.request_log.log import ModelLog, RequestLog

__all__ = ["Counts", "Entry", "ModelLog", "RequestLog"]
