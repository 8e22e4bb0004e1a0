"""When a server is ready: health routes differ and some lie, an answer does not."""

from __future__ import annotations

import http.client
from collections.abc import Callable

from benchmarks.loadgen.server import HOST
from benchmarks.peers.wires import Wire
from benchmarks.zoo.catalogue import Exported

ANSWER_SECONDS = 30.0


def answers_sample(wire: Wire, exported: Exported) -> Callable[[int], bool]:
    """Whether a server answers the model's first question with 200."""
    requests = wire.requests(exported)
    sample = requests.samples[0]

    def ready(port: int) -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", requests.path, sample.body, dict(sample.headers))
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ready
