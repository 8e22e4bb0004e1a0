"""Settings of the gRPC API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.config import Loaded
from gateway.config.grpc_settings import channel_arguments

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", ()),
        ("grpc.a=1", (("grpc.a", 1),)),
        ("grpc.a=-1, grpc.b=x=y,", (("grpc.a", -1), ("grpc.b", "x=y"))),
        ("grpc.a=,grpc.b=2147483648", (("grpc.a", ""), ("grpc.b", "2147483648"))),
    ],
)
def test_channel_arguments(text: str, arguments: object) -> None:
    assert channel_arguments(text) == arguments


@pytest.mark.parametrize("text", ["grpc.a", "=1", "grpc.a=1,b"])
def test_channel_arguments_that_are_none(refuse: Refuse, text: str) -> None:
    assert refuse(flags={"grpc_channel_arguments": text}).startswith(
        'grpc_channel_arguments must be written "NAME=VALUE,NAME=VALUE"'
    )


def test_the_port_is_tensorflow_serving_s(configure: Configure) -> None:
    assert configure().settings.port == 8500
