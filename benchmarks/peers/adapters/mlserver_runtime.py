"""MLServer: a custom runtime behind the Open Inference Protocol's JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from benchmarks.peers.adapters.saved_model import SavedModel, saved_model


class Predict(MLModel):
    _model: SavedModel

    async def load(self) -> bool:
        self._model = saved_model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        (tensor,) = payload.inputs
        answers = self._model.run(self._array(tensor))
        flat = answers.reshape(-1).tolist()
        output = ResponseOutput(
            name=self._model.output, shape=list(answers.shape), datatype="FP32", data=flat
        )
        return InferenceResponse(model_name=self.name, outputs=[output])

    def _array(self, tensor: Any) -> Any:
        if tensor.datatype == "BYTES":
            return self._model.stack(StringCodec.decode_input(tensor))
        return np.array(tensor.data, self._model.dtype).reshape(tensor.shape)
