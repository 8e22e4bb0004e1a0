"""GetModelMetadata: the signatures of one version."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import ParseDict

from gateway.codecs.model_spec import read_spec
from gateway.errors import invalid_argument
from gateway.grpc.calls import Rpc, read_message
from gateway.inference import Inference
from gateway.protos.serving import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from gateway.protos.tensors import POOL

SIGNATURE_DEF = "signature_def"
"""The only metadata there is."""


async def model_metadata(inference: Inference, request: bytes, rpc: Rpc) -> bytes:
    """The answer. Raises ServingError as TF Serving does (get_model_metadata_impl): unknown fields
    before unknown models."""
    message = read_message(GetModelMetadataRequest, request)
    if not message.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    _check_fields(message.metadata_field)
    spec = read_spec([message.model_spec.SerializeToString()])
    rpc.model = spec.name
    servable = inference.registry.acquire(spec.name, spec.version, spec.label)
    try:
        answer = GetModelMetadataResponse()
        answer.model_spec.name = servable.name
        answer.model_spec.version.value = servable.version
        # A model may have hundreds of signatures: not on the event loop.
        return await inference.run_codec(True, _with_signatures, answer, servable.model.metadata)
    finally:
        servable.release()


def _check_fields(fields: Any) -> None:
    if not fields:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in fields:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field[:256]} is not supported")


def _with_signatures(answer: Any, metadata: Any) -> bytes:
    signatures = ParseDict(
        {SIGNATURE_DEF: metadata},
        SignatureDefMap(),
        ignore_unknown_fields=True,
        descriptor_pool=POOL,
    )
    answer.metadata[SIGNATURE_DEF].Pack(signatures)
    data: bytes = answer.SerializeToString()
    return data
