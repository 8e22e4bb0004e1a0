"""TLS of the gRPC port, with and without certificates of clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
import trustme

from gateway.config.errors import ConfigError
from gateway.grpc.credentials import GrpcTls
from gateway.protos.services import PREDICTION_SERVICE
from gateway.protos.serving import PredictResponse
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import serving_fakes
from tests.grpc.serving import predict_request


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class File:
    """An SSLConfig."""

    def __init__(self, path: Path, authority: trustme.CA) -> None:
        self.path = path
        self.write(authority)

    def write(self, authority: trustme.CA, *, clients: trustme.CA | None = None) -> None:
        issued = authority.issue_cert("localhost")
        lines = [
            _field("server_key", issued.private_key_pem.bytes()),
            _field("server_cert", issued.cert_chain_pems[0].bytes()),
        ]
        if clients is not None:
            lines += [_field("custom_ca", clients.cert_pem.bytes()), "client_verify: true"]
        self.path.write_text("\n".join(lines))

    def tls(self) -> GrpcTls:
        return GrpcTls(str(self.path))


def _field(name: str, pem: bytes) -> str:
    text = pem.decode().replace("\n", "\\n")
    return f'{name}: "{text}"'


@pytest.fixture
def file(tmp_path: Path, authority: trustme.CA) -> File:
    return File(tmp_path / "ssl.conf", authority)


@asynccontextmanager
async def served(root: Path, tls: GrpcTls) -> AsyncIterator[int]:
    """The port."""
    async with serving_fakes(root, {"m": FakeSignature()}) as rest:
        server = rest.gateway.make_grpc_server()
        port = await server.listen("127.0.0.1", 0, tls.credentials)
        await server.start()
        yield port
        await server.stop(0)


async def predict(port: int, credentials: grpc.ChannelCredentials | None) -> list[float]:
    target = f"127.0.0.1:{port}"
    # A subchannel of its own: gRPC would use the connection of the one before.
    options = [
        ("grpc.ssl_target_name_override", "localhost"),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if credentials is None:
        channel = grpc.aio.insecure_channel(target, options)
    else:
        channel = grpc.aio.secure_channel(target, credentials, options)
    async with channel:
        stub = channel.unary_unary(
            f"/{PREDICTION_SERVICE}/Predict", response_deserializer=PredictResponse.FromString
        )
        request = predict_request("m", x=np.float32([2]))
        answer = await stub(request.SerializeToString())
        return list(answer.outputs["y"].float_val)


def trusting(
    authority: trustme.CA, client: trustme.LeafCert | None = None
) -> grpc.ChannelCredentials:
    root = authority.cert_pem.bytes()
    if client is None:
        return grpc.ssl_channel_credentials(root)
    key, chain = client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes()
    return grpc.ssl_channel_credentials(root, key, chain)


async def refused(port: int, credentials: grpc.ChannelCredentials | None) -> bool:
    try:
        await predict(port, credentials)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.UNAVAILABLE
    return False


async def test_clients_that_trust_the_authority(
    tmp_path: Path, file: File, authority: trustme.CA
) -> None:
    async with served(tmp_path, await asyncio.to_thread(file.tls)) as port:
        assert await predict(port, trusting(authority)) == [4]
        assert await refused(port, None)
        assert await refused(port, trusting(trustme.CA()))


async def test_clients_need_a_certificate(
    tmp_path: Path, file: File, authority: trustme.CA
) -> None:
    clients = trustme.CA()
    file.write(authority, clients=clients)
    async with served(tmp_path, await asyncio.to_thread(file.tls)) as port:
        assert await predict(port, trusting(authority, clients.issue_cert("c"))) == [4]
        assert await refused(port, trusting(authority))
        assert await refused(port, trusting(authority, trustme.CA().issue_cert("c")))


async def test_a_certificate_is_replaced(tmp_path: Path, file: File, authority: trustme.CA) -> None:
    tls, other = await asyncio.to_thread(file.tls), trustme.CA()
    async with served(tmp_path, tls) as port:
        assert await predict(port, trusting(authority)) == [4]
        assert not await asyncio.to_thread(tls.reload)
        file.write(other)
        assert await asyncio.to_thread(tls.reload)
        assert await predict(port, trusting(other)) == [4]
        assert await refused(port, trusting(authority))


async def test_a_bad_file_leaves_the_old_certificate(
    tmp_path: Path, file: File, authority: trustme.CA
) -> None:
    tls = await asyncio.to_thread(file.tls)
    async with served(tmp_path, tls) as port:
        file.path.write_text("server_key: 1")
        with pytest.raises(ConfigError, match="this is no SSLConfig"):
            await asyncio.to_thread(tls.reload)
        assert await predict(port, trusting(authority)) == [4]


PEM = "-----BEGIN THING-----\\nAAAA\\n-----END THING-----\\n"


def test_texts_that_are_no_certificate(file: File) -> None:
    file.path.write_text(f'server_key: "{PEM}" server_cert: "{PEM}"')
    with pytest.raises(ConfigError, match="not a PEM certificate with its key"):
        file.tls()


def test_a_key_of_another_certificate(file: File, authority: trustme.CA) -> None:
    first, second = (authority.issue_cert("localhost") for _ in range(2))
    file.path.write_text(
        _field("server_key", first.private_key_pem.bytes())
        + _field("server_cert", second.cert_chain_pems[0].bytes())
    )
    with pytest.raises(ConfigError, match="not a PEM certificate with its key"):
        file.tls()


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"SSL config file .*no.conf cannot be read"):
        GrpcTls(str(tmp_path / "no.conf"))
