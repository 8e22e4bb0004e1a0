"""Certificate files that cannot be used: one line that names the file."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.http.tls import TlsError, server_context
from tests.gateway.certificates import Files


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Files:
    return Files(tmp_path, authority)


def one_line(certificate: Path | str, key: Path | str, authority: Path | str = "") -> str:
    with pytest.raises(TlsError) as refusal:
        server_context(str(certificate), str(key), str(authority))
    message = str(refusal.value)
    assert "\n" not in message
    assert "_ssl.c" not in message
    return message


def test_one_file_may_hold_both(files: Files) -> None:
    with files.certificate.open("ab") as file:
        file.write(files.key.read_bytes())
    assert server_context(str(files.certificate), "").verify_mode is ssl.CERT_NONE


def test_mistakes_name_the_file(tmp_path: Path, files: Files, authority: trustme.CA) -> None:
    certificate, key = files.certificate, files.key
    nowhere, text, empty = tmp_path / "nowhere", tmp_path / "text", tmp_path / "empty"
    text.write_text("no certificate")
    empty.touch()
    assert one_line(nowhere, key) == f"{nowhere}: No such file or directory"
    assert one_line(certificate, tmp_path) == f"{tmp_path}: Is a directory"
    for unfit in (text, empty):
        assert str(unfit) in one_line(unfit, key)
        assert str(unfit) in one_line(certificate, unfit)
        assert one_line(certificate, key, unfit) == f"{unfit}: no PEM certificate in it"
    assert str(certificate) in one_line(certificate, "")
    assert str(key) in one_line("", key)
    assert one_line(certificate, key, nowhere) == f"{nowhere}: No such file or directory"
    other = tmp_path / "other.key"
    authority.issue_cert("localhost").private_key_pem.write_to_path(other)
    expected = f"{other}: the key does not belong to the certificate in {certificate}"
    assert one_line(certificate, other) == expected


def test_a_key_with_a_passphrase_is_not_waited_for(tmp_path: Path, files: Files) -> None:
    key = load_pem_private_key(files.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    protection = BestAvailableEncryption(b"secret")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    locked.write_bytes(pem)
    message = f"{locked}: the key has a passphrase, which cannot be asked for"
    assert one_line(files.certificate, locked) == message
