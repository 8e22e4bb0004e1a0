"""Server reflection (grpc.reflection.v1alpha): tools like grpcurl learn the services from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection


class _Pools:
    """Several descriptor pools as one; the first that knows a name answers.

    Messages of TF Serving are declared in a pool of their own (``gateway.protos``); those of the
    standard services are in the process's default pool.
    """

    def __init__(self, pools: Sequence[DescriptorPool]) -> None:
        self._pools = pools

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*args: Any) -> Any:
            for pool in self._pools[:-1]:
                try:
                    return getattr(pool, name)(*args)
                except KeyError:
                    continue
            return getattr(self._pools[-1], name)(*args)

        return ask


def add_reflection(
    server: grpc.aio.Server, services: Sequence[str], pools: Sequence[DescriptorPool]
) -> None:
    """Let ``server`` describe ``services``, which ``pools`` or the default pool know."""
    known = _Pools((*dict.fromkeys(pools), descriptor_pool.Default()))
    names = [*services, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(names, server, pool=cast(DescriptorPool, known))
