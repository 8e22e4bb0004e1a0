"""LitServe: FastAPI in front, one worker process that collects the batches."""

from typing import Any

import litserve

from benchmarks.peers.adapters.saved_model import (
    HOST,
    MAX_BATCH_SIZE,
    MAX_WAIT_SECONDS,
    SavedModel,
    port,
    saved_model,
)


class Predict(litserve.LitAPI):
    _model: SavedModel

    def setup(self, device: Any) -> None:
        self._model = saved_model()

    def decode_request(self, request, **_):  # type: ignore[no-untyped-def]
        return request["instances"][0]

    def batch(self, inputs: list[Any]) -> list[Any]:
        return list(inputs)

    def predict(self, x: Any, **_: Any) -> Any:
        return self._model.predict(x)

    def unbatch(self, output: Any) -> Any:
        return output

    def encode_response(self, output: Any, **_: Any) -> Any:
        return {"predictions": [output]}


def main() -> None:
    api = Predict(max_batch_size=MAX_BATCH_SIZE, batch_timeout=MAX_WAIT_SECONDS)
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=1, fast_queue=True, timeout=60
    )
    server.run(
        port=port(),
        host=HOST,
        num_api_servers=1,
        log_level="error",
        access_log=False,
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
