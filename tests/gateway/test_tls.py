"""HTTPS on the REST port."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme

from gateway.app import Gateway
from gateway.config.settings import Settings
from gateway.http.listener import Listener
from gateway.http.tls import ServerTls, TlsError
from tests.gateway.certificates import Files
from tests.gateway.fake_backend import FakeBackend, FakeSignature
from tests.gateway.serving import folders

BODY = b'{"instances":[1]}'


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Files:
    return Files(tmp_path, authority)


@pytest.fixture
def tls(files: Files) -> ServerTls:
    return files.tls()


@pytest.fixture
def strict_tls(files: Files) -> ServerTls:
    """Asks clients for a certificate of ``authority``."""
    return files.tls(str(files.authority))


@asynccontextmanager
async def https(root: Path, context: ssl.SSLContext) -> AsyncIterator[int]:
    """The port of a gateway that speaks TLS."""
    folders(root, "m/1")
    models = {"m": {"base_path": str(root / "m")}}
    settings = Settings.model_validate(
        {"models": models, "warmup": False, "file_system_poll_wait_seconds": 0.01}
    )
    gateway = Gateway(settings, FakeBackend({"m": FakeSignature()}))
    listener = Listener(gateway.make_server(), "127.0.0.1", 0, context)
    port = await listener.start()
    try:
        await gateway.manager.load_all()
        yield port
    finally:
        gateway.close()
        await listener.close()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def predict(port: int, context: ssl.SSLContext) -> bytes:
    url = f"https://127.0.0.1:{port}/v1/models/m:predict"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=BODY, ssl=context) as response,
    ):
        assert response.status == 200
        return await response.read()


async def serial_number(port: int, context: ssl.SSLContext) -> str:
    """Of the certificate that a new connection gets."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    certificate = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()
    return str(certificate["serialNumber"])


async def test_https(tmp_path: Path, tls: ServerTls, authority: trustme.CA) -> None:
    async with https(tmp_path, tls.context) as port:
        assert await predict(port, trusting(authority)) == b'{"predictions":[2.0]}'


async def test_a_client_that_trusts_another_authority_leaves(
    tmp_path: Path, tls: ServerTls, authority: trustme.CA
) -> None:
    async with https(tmp_path, tls.context) as port:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await predict(port, trusting(trustme.CA()))
        assert await predict(port, trusting(authority))


async def test_plain_http_is_no_way_in(
    tmp_path: Path, tls: ServerTls, authority: trustme.CA
) -> None:
    async with https(tmp_path, tls.context) as port:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"http://127.0.0.1:{port}/livez")
        assert await predict(port, trusting(authority))


def only(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Speaks ``version`` and no other, also where OpenSSL's security level forbids it."""
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_new_protocols(
    tmp_path: Path, tls: ServerTls, authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    async with https(tmp_path, tls.context) as port:
        assert await predict(port, only(trusting(authority), version))


async def test_an_old_protocol_is_refused(
    tmp_path: Path, tls: ServerTls, authority: trustme.CA
) -> None:
    old = ssl.TLSVersion.TLSv1_1
    client = only(trusting(authority), old)
    async with https(tmp_path, tls.context) as port:
        with pytest.raises(aiohttp.ClientConnectorError):
            await predict(port, client)
        # It was the server that refused: once it does not, the client gets through.
        only(tls.context, old)
        assert await predict(port, client)


async def test_client_certificates(
    tmp_path: Path, strict_tls: ServerTls, authority: trustme.CA
) -> None:
    known, stranger, nobody = (trusting(authority) for _ in range(3))
    authority.issue_cert("client").configure_cert(known)
    trustme.CA().issue_cert("client").configure_cert(stranger)
    async with https(tmp_path, strict_tls.context) as port:
        assert await predict(port, known)
        for context in (stranger, nobody):
            # In TLS 1.3 the client may send its request before it learns of the refusal.
            with pytest.raises((aiohttp.ClientError, ConnectionError, ssl.SSLError)):
                await predict(port, context)
        assert await predict(port, known)


async def test_a_new_certificate_for_new_connections(
    tmp_path: Path, files: Files, tls: ServerTls, authority: trustme.CA
) -> None:
    client = trusting(authority)
    async with https(tmp_path, tls.context) as port:
        first = await serial_number(port, client)
        async with aiohttp.ClientSession() as session:
            url = f"https://127.0.0.1:{port}/livez"
            async with session.get(url, ssl=client) as response:
                assert response.status == 200
            assert not await asyncio.to_thread(tls.reload)
            assert await serial_number(port, client) == first
            files.replace(authority)
            assert await asyncio.to_thread(tls.reload)
            assert await serial_number(port, client) != first
            assert not await asyncio.to_thread(tls.reload)
            async with session.get(url, ssl=client) as response:
                assert response.status == 200


async def test_broken_files_leave_the_old_certificate_in_use(
    tmp_path: Path, files: Files, tls: ServerTls, authority: trustme.CA
) -> None:
    client = trusting(authority)
    async with https(tmp_path, tls.context) as port:
        first = await serial_number(port, client)
        key = files.key.read_bytes()
        authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(files.key)
        for _ in range(2):
            with pytest.raises(TlsError, match="does not belong to the certificate"):
                await asyncio.to_thread(tls.reload)
        files.certificate.unlink()
        with pytest.raises(TlsError, match="No such file"):
            await asyncio.to_thread(tls.reload)
        assert await serial_number(port, client) == first
        files.replace(authority)
        assert files.key.read_bytes() != key
        assert await asyncio.to_thread(tls.reload)
        assert await serial_number(port, client) != first
