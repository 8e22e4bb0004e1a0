"""TensorProto to array and back."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from gateway.codecs.tensor_proto_read import MAX_FILLED_BYTES, read_tensor
from gateway.codecs.tensor_proto_write import MAX_MESSAGE_BYTES as MAX_MESSAGE_BYTES
from gateway.codecs.tensor_proto_write import tensor_pieces
from gateway.protos.tensors import TensorProto
from gateway.protos.unread import UnreadTensor


def array_of(
    proto: Any, *, what: str = "the tensor", max_filled_bytes: int = MAX_FILLED_BYTES
) -> NDArray[Any]:
    """The values of a TensorProto: C-contiguous, strings as an object array of ``bytes``.

    Cannot always be written to. Filling and errors are those of ``read_tensor``.
    """
    tensor = UnreadTensor.FromString(proto.SerializeToString())
    return read_tensor(tensor, what=what, max_filled_bytes=max_filled_bytes).array()


def tensor_proto(array: NDArray[Any], type_name: str, *, tensor_content: bool = False) -> Any:
    """``array`` as a TensorProto, see ``tensor_pieces``."""
    pieces, _ = tensor_pieces(array, type_name, tensor_content=tensor_content)
    return TensorProto.FromString(b"".join(pieces))
