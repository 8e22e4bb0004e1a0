"""TLS of the REST port: certificates from files, which may be replaced while the server runs."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

logger = logging.getLogger(__name__)

CERTIFICATE_POLL_SECONDS = 10.0

Stamp = tuple[tuple[int, int, int], ...]
"""Inode, size and time of change of the files."""


class TlsError(Exception):
    """The files are no use; one line for the operator that names the file."""


def server_context(
    certificate_file: str, key_file: str, client_ca_file: str = ""
) -> ssl.SSLContext:
    """For TLS 1.2 and newer. All files are PEM and the key has no passphrase.

    ``certificate_file`` holds the certificate and the intermediate ones behind it; ``key_file`` may
    be empty when the key is in there too. With ``client_ca_file`` every client needs a certificate
    that one of its authorities signed. Blocks. Raises TlsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, certificate_file, key_file)
    if client_ca_file:
        _load_authorities(context, client_ca_file)
    return context


class ServerTls:
    """A listener's context, which follows its files.

    The certificate and its key may change; another ``client_ca_file`` needs a restart, because a
    context cannot forget an authority.
    """

    def __init__(self, certificate_file: str, key_file: str, client_ca_file: str = "") -> None:
        """Blocks. Raises TlsError."""
        self._files = (certificate_file, key_file)
        self._stamp = _stamp(self._files)
        self.context = server_context(certificate_file, key_file, client_ca_file)

    def reload(self) -> bool:
        """Read the certificate and the key again if their files changed; whether they did.

        New connections get the new certificate, open ones keep theirs. Blocks; one call at a time.
        Raises TlsError: then the old certificate stays in use and the next call tries again.
        """
        stamp = _stamp(self._files)
        if stamp == self._stamp:
            return False
        # A certificate without its key would leave the context in use without either.
        server_context(*self._files)
        _load_certificate(self.context, *self._files)
        self._stamp = stamp
        return True

    async def follow(self) -> None:
        """Give new connections a renewed certificate soon after its files were replaced. Runs
        until cancelled."""
        while True:
            await asyncio.sleep(CERTIFICATE_POLL_SECONDS)
            try:
                if await asyncio.to_thread(self.reload):
                    logger.info("certificate reloaded")
            except TlsError as error:
                logger.error("certificate not reloaded", extra={"reason": str(error)})


def _load_certificate(context: ssl.SSLContext, certificate_file: str, key_file: str) -> None:
    if not certificate_file:
        raise TlsError(f"the key {key_file} has no certificate: set ssl_certificate_file")
    for file in filter(None, (certificate_file, key_file)):
        _check_readable(file)
    key_holder = key_file or certificate_file

    def refuse() -> str:
        raise TlsError(f"{key_holder}: the key has a passphrase, which cannot be asked for")

    try:
        context.load_cert_chain(certificate_file, key_file or None, refuse)
    except ssl.SSLError as error:
        raise TlsError(_reason(error, certificate_file, key_holder)) from error


def _load_authorities(context: ssl.SSLContext, client_ca_file: str) -> None:
    _check_readable(client_ca_file)
    try:
        context.load_verify_locations(client_ca_file)
    except ssl.SSLError as error:
        raise TlsError(f"{client_ca_file}: no PEM certificate in it") from error
    context.verify_mode = ssl.CERT_REQUIRED


def _check_readable(file: str) -> None:
    """OpenSSL does not say which file it could not read."""
    try:
        Path(file).read_bytes()
    except OSError as error:
        raise TlsError(f"{file}: {error.strerror or type(error).__name__}") from error


def _reason(error: ssl.SSLError, certificate_file: str, key_file: str) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key_file}: the key does not belong to the certificate in {certificate_file}"
    if error.reason is None or error.reason == "PEM lib":
        return f"{certificate_file} and {key_file}: not a PEM certificate and its PEM key"
    return f"{certificate_file}: {error.reason.lower().replace('_', ' ')}"


def _stamp(files: tuple[str, ...]) -> Stamp:
    """Files that are not there have none; the load says what is wrong with them."""
    stamps = []
    for file in filter(None, files):
        try:
            found = Path(file).stat()
        except OSError:
            continue
        stamps.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(stamps)
