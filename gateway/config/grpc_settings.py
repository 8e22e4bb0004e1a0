"""Settings of the gRPC API."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.config.fields import Port
from gateway.config.inherited import Frozen

ChannelArgument = tuple[str, int | str]


def channel_arguments(text: str) -> tuple[ChannelArgument, ...]:
    """``(("grpc.x", 1), ("grpc.y", "z"))`` for ``"grpc.x=1,grpc.y=z"``; what looks like a whole
    number is one (TF Serving, server.cc). Raises ValueError."""
    arguments: list[ChannelArgument] = []
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not name.strip() or not equals:
            raise ValueError('must be written "NAME=VALUE,NAME=VALUE"')
        arguments.append((name.strip(), _number_or_text(value)))
    return tuple(arguments)


def _number_or_text(value: str) -> int | str:
    try:
        number = int(value)
    except ValueError:
        return value
    # gRPC's numbers have 32 bits.
    return number if -(2**31) <= number < 2**31 else value


def _check_arguments(text: str) -> str:
    channel_arguments(text)
    return text


class GrpcSettings(Frozen):
    """Where gRPC listens, and how it answers."""

    port: Port = Field(default=8500, description="Port of the gRPC API; 0 is off.")
    grpc_socket_path: str = Field(
        default="", description="UNIX socket on which gRPC is served as well."
    )
    ssl_config_file: str = Field(
        default="",
        description="TF Serving's SSLConfig text file: gRPC's port takes TLS only, with "
        "client_verify only from clients with a certificate.",
    )
    grpc_channel_arguments: Annotated[str, AfterValidator(_check_arguments)] = Field(
        default="", description='Arguments for gRPC itself: "NAME=VALUE,NAME=VALUE".'
    )
    enable_grpc_healthcheck_service: bool = Field(
        default=True,
        description="Serve grpc.health.v1.Health: SERVING while all models take requests.",
    )
    enable_grpc_reflection: bool = Field(
        default=True, description="Describe the gRPC services to tools like grpcurl."
    )
    enable_serialization_as_tensor_content: bool = Field(
        default=False,
        description="Answer gRPC Predict with tensors as raw bytes (tensor_content), not in typed "
        "fields.",
    )
