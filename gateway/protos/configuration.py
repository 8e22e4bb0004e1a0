"""TF Serving's model configuration, in the pool of its requests and answers.

The published package's configuration part does not import TensorFlow: its files are taken as they
are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message_factory import GetMessageClass
from tensorflow_serving.config import model_server_config_pb2

from gateway.protos.tensors import POOL

_WELL_KNOWN = "google/protobuf/"


def _dependencies_first(file: FileDescriptor) -> Iterator[FileDescriptor]:
    for dependency in file.dependencies:
        yield from _dependencies_first(dependency)
    yield file


_files = dict.fromkeys(_dependencies_first(model_server_config_pb2.DESCRIPTOR))
FILES = tuple(file.name for file in _files if not file.name.startswith(_WELL_KNOWN))
"""What other declarations import to use these messages."""

for _file in _files:
    if _file.name in FILES:
        POOL.AddSerializedFile(_file.serialized_pb)

ModelServerConfig: Any = GetMessageClass(
    POOL.FindMessageTypeByName("tensorflow.serving.ModelServerConfig")
)
