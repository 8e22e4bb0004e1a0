"""Certificates of a server, as files."""

from __future__ import annotations

from pathlib import Path

import trustme

from gateway.http.tls import ServerTls


class Files:
    """A server's certificate and key on disk."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        self.replace(authority)

    def replace(self, authority: trustme.CA) -> None:
        issued = authority.issue_cert("127.0.0.1", "localhost")
        issued.private_key_pem.write_to_path(self.key)
        issued.cert_chain_pems[0].write_to_path(self.certificate)

    def tls(self, client_ca_file: str = "") -> ServerTls:
        return ServerTls(str(self.certificate), str(self.key), client_ca_file)
