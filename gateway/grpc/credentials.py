"""TLS of the gRPC port: TF Serving's SSLConfig, which may be replaced while the server runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import grpc

from gateway.config.errors import ConfigError
from gateway.config.files import read_text
from gateway.config.server_files import read_ssl_config
from gateway.http.tls import TlsError, server_context


class GrpcTls:
    """A port's credentials, which follow their file.

    The certificate and its key may change, and the authorities; whether clients need a certificate
    needs a restart.
    """

    def __init__(self, file: str) -> None:
        """Blocks. Raises ConfigError."""
        self._file = Path(file)
        config = self._read()
        self._present = _pairs(config)
        self._told = self._present
        self.credentials = grpc.dynamic_ssl_server_credentials(
            _configuration(self._present),
            cast(Callable[[], grpc.ServerCertificateConfiguration], self._changed),
            require_client_authentication=config.client_verify,
        )

    def reload(self) -> bool:
        """Read the file again; whether it says something new.

        New connections get the new certificate, open ones keep theirs. Blocks. Raises ConfigError:
        then the old certificate stays in use.
        """
        pairs = _pairs(self._read())
        if pairs == self._present:
            return False
        self._present = pairs
        return True

    def _read(self) -> Any:
        label = f"the SSL config file {self._file}"
        config = read_ssl_config(read_text(self._file, label), label)
        _check_certificate(config.server_cert, config.server_key, label)
        return config

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """gRPC asks before every handshake, on a thread of its own; None is as before."""
        present = self._present
        if present == self._told:
            return None
        self._told = present
        return _configuration(present)


_Pairs = tuple[bytes, bytes, bytes]


def _check_certificate(certificate: str, key: str, label: str) -> None:
    """gRPC itself would refuse clients instead. OpenSSL reads files only: this one is in memory."""
    with os.fdopen(os.memfd_create("pem"), "wb", buffering=0) as memory:
        memory.write(f"{certificate}\n{key}\n".encode())
        try:
            server_context(f"/proc/self/fd/{memory.fileno()}", "")
        except TlsError:
            raise ConfigError(f"{label}: not a PEM certificate with its key") from None


def _pairs(config: Any) -> _Pairs:
    """Key, certificate and authorities, PEM."""
    return config.server_key.encode(), config.server_cert.encode(), config.custom_ca.encode()


def _configuration(pairs: _Pairs) -> grpc.ServerCertificateConfiguration:
    key, certificate, authorities = pairs
    return grpc.ssl_server_certificate_configuration(
        [(key, certificate)], root_certificates=authorities or None
    )
