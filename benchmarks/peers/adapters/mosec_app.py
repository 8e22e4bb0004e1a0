"""mosec: its Rust front and batcher, one Python worker."""

from __future__ import annotations

from typing import Any

import orjson
from mosec import Server, Worker

from benchmarks.peers.adapters.saved_model import MAX_BATCH_SIZE, MAX_WAIT_SECONDS, saved_model


class Predict(Worker):
    def __init__(self) -> None:
        super().__init__()
        self._model = saved_model()

    def deserialize(self, data: bytes) -> Any:
        return orjson.loads(data)

    def forward(self, data: list[Any]) -> list[Any]:
        answers = self._model.predict([request["instances"][0] for request in data])
        return [{"predictions": [answer]} for answer in answers]

    def serialize(self, data: Any) -> bytes:
        return orjson.dumps(data)


def main() -> None:
    # Address, port and timeout come from the command line.
    server = Server()
    server.append_worker(
        Predict,
        num=1,
        max_batch_size=MAX_BATCH_SIZE,
        max_wait_time=round(MAX_WAIT_SECONDS * 1000),
    )
    server.run()


if __name__ == "__main__":
    main()
