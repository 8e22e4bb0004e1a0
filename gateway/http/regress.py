"""POST /v1/models/NAME[/versions/N or /labels/L]:regress"""

from __future__ import annotations

import numpy as np

from batching import Inputs, Outputs
from gateway.backends.base import Signature
from gateway.codecs.examples_json import ExamplesBody
from gateway.codecs.results_json import INPUTS, check_regress, encode_regressions
from gateway.exchange import Api
from gateway.http.examples import ExamplesApi


class RegressApi(ExamplesApi):
    """Examples in, a number for each out."""

    name: Api = "regress"

    def check(self, signature: Signature, /) -> None:
        check_regress(signature)

    def encode(
        self, body: ExamplesBody, signature: Signature, inputs: Inputs, outputs: Outputs, /
    ) -> bytes:
        return encode_regressions(outputs, np.shape(inputs[INPUTS])[0])
