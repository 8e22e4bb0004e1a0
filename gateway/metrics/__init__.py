"""What Prometheus sees: requests from the front, batches from the batchers' records.

Label values come from the configuration and from code, never from a request, so that no client
can grow the set: an unknown model is counted under an empty name.
"""

from gateway.metrics.records import BatchMetrics, RequestMetrics, ServableLabels, VersionState
from gateway.metrics.registry import Metrics

__all__ = ["BatchMetrics", "Metrics", "RequestMetrics", "ServableLabels", "VersionState"]
