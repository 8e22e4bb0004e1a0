"""POST /v1/models/NAME[/versions/N or /labels/L]:classify"""

from __future__ import annotations

import numpy as np

from batching import Inputs, Outputs
from gateway.backends.base import Signature
from gateway.codecs.examples_json import ExamplesBody
from gateway.codecs.results_json import INPUTS, check_classify, encode_classifications
from gateway.exchange import Api
from gateway.http.examples import ExamplesApi


class ClassifyApi(ExamplesApi):
    """Examples in, labels with scores out."""

    name: Api = "classify"

    def check(self, signature: Signature, /) -> None:
        check_classify(signature)

    def encode(
        self, body: ExamplesBody, signature: Signature, inputs: Inputs, outputs: Outputs, /
    ) -> bytes:
        return encode_classifications(outputs, np.shape(inputs[INPUTS])[0])
