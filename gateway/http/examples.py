"""What classify and regress have in common: their inputs are tf.Examples."""

from __future__ import annotations

from abc import abstractmethod

from batching import Inputs, Outputs
from gateway.backends.base import Signature
from gateway.codecs.examples_json import ExamplesBody, encode_examples, parse_examples
from gateway.codecs.results_json import INPUTS, check_method_name, no_signature
from gateway.errors import ServingError
from gateway.exchange import Api
from gateway.models.servable import SignatureQueue


class ExamplesApi:
    """Serialized examples go to the input ``inputs``, one row each."""

    name: Api
    takes_examples = True

    def __init__(self, *, check_method_names: bool = False) -> None:
        self._check_method_names = check_method_names

    def parse(self, body: bytes, /) -> ExamplesBody:
        return parse_examples(body)

    def unknown_signature(self, name: str, /) -> ServingError:
        return no_signature(name[:256])

    def decode(self, body: ExamplesBody, queue: SignatureQueue, /) -> Inputs:
        signature = queue.signature
        if self._check_method_names:
            check_method_name(signature, self.name)
        self.check(signature)
        return {INPUTS: encode_examples(body, signature.features)}

    @abstractmethod
    def check(self, signature: Signature, /) -> None:
        """Raise ServingError unless inputs and outputs are what the API needs."""

    @abstractmethod
    def encode(
        self, body: ExamplesBody, signature: Signature, inputs: Inputs, outputs: Outputs, /
    ) -> bytes: ...
