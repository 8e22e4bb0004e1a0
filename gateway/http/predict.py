"""POST /v1/models/NAME[/versions/N or /labels/L]:predict"""

from __future__ import annotations

from batching import Inputs, Outputs
from gateway.backends.base import Signature
from gateway.codecs.json_encode import encode_columns, encode_rows
from gateway.codecs.predict_json import Form, PredictBody, decode_inputs, parse_predict
from gateway.codecs.results_json import check_method_name
from gateway.errors import ServingError, invalid_argument
from gateway.exchange import Api
from gateway.models.servable import SignatureQueue


class PredictApi:
    """Arrays in, arrays out, in the row form or the column form of the request."""

    name: Api = "predict"
    takes_examples = False
    parse = staticmethod(parse_predict)

    def __init__(self, *, check_method_names: bool = False) -> None:
        self._check_method_names = check_method_names

    def unknown_signature(self, name: str, /) -> ServingError:
        return invalid_argument(
            f'Serving signature name: "{name[:256]}" not found in signature def'
        )

    def decode(self, body: PredictBody, queue: SignatureQueue, /) -> Inputs:
        if self._check_method_names:
            check_method_name(queue.signature, self.name)
        return decode_inputs(body, queue.signature, queue.optional_inputs)

    def encode(
        self, body: PredictBody, signature: Signature, inputs: Inputs, outputs: Outputs, /
    ) -> bytes:
        encode = encode_rows if body.form is Form.ROW else encode_columns
        return encode(outputs, signature.outputs)
