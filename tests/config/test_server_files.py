"""TF Serving's MonitoringConfig and SSLConfig; certificates of REST."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import Loaded

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

MONITORING = {"monitoring_config_file": "monitoring.conf"}
SSL = {"ssl_config_file": "ssl.conf"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("prometheus_config {}", ""),
        ("prometheus_config { enable: false path: '/x' }", ""),
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ("prometheus_config { enable: true path: '/x/y' }", "/x/y"),
    ],
)
def test_monitoring(configure: Configure, tmp_path: Path, text: str, path: str) -> None:
    (tmp_path / "monitoring.conf").write_text(text)
    loaded = configure(flags=MONITORING)
    assert loaded.settings.monitoring_path == path
    assert loaded.origins["monitoring_path"] == "monitoring.conf"


def test_the_path_under_its_own_name_is_stronger(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "monitoring.conf").write_text("prometheus_config { enable: true path: '/x' }")
    loaded = configure(flags=MONITORING, environ={"GATEWAY_MONITORING_PATH": "/mine"})
    assert loaded.settings.monitoring_path == "/mine"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "prometheus_config {\n  enable: true path: 'x' }",
            "monitoring.conf, line 2, column 16: path must be a URL path that starts with "
            '"/", or empty, not "x"',
        ),
        ("prometheus_config { on: true }", "monitoring.conf, line 1, column 21: Message type"),
    ],
)
def test_monitoring_that_is_refused(refuse: Refuse, tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "monitoring.conf").write_text(text)
    assert refuse(flags=MONITORING).startswith(line)


PEM = "-----BEGIN THING-----\\nAAAA\\n-----END THING-----\\n"
GOOD_SSL = f'server_key: "{PEM}"\nserver_cert: "{PEM}"\n'


def test_ssl_config_is_checked(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "ssl.conf").write_text(f'{GOOD_SSL}custom_ca: "{PEM}" client_verify: true')
    loaded = configure(flags=SSL)
    assert (loaded.settings.ssl_config_file, loaded.notes) == ("ssl.conf", ())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "ssl.conf: server_key is missing"),
        (f'server_key: "{PEM}"', "ssl.conf: server_cert is missing"),
        (
            f'server_cert: "{PEM}"\nserver_key: "key.pem"',
            "ssl.conf, line 2, column 1: server_key must be PEM text, inline, not a file's name",
        ),
        (
            f'{GOOD_SSL}custom_ca: "ca.pem"',
            "ssl.conf, line 3, column 1: custom_ca must be PEM text, inline, not a file's name",
        ),
        (
            f"{GOOD_SSL}client_verify: maybe",
            "ssl.conf, line 3, column 16: this is no SSLConfig in protobuf's text form",
        ),
        (
            f"{GOOD_SSL}client_verify: true",
            "ssl.conf, line 3, column 1: client_verify needs custom_ca",
        ),
    ],
)
def test_ssl_config_that_is_refused(refuse: Refuse, tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "ssl.conf").write_text(text)
    assert refuse(flags=SSL).startswith(line)


def test_a_key_is_never_repeated_in_an_error(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "ssl.conf").write_text('server_cert: "x"\nserver_key: "-----BEGIN SECRET')
    message = refuse(flags=SSL)
    assert message.startswith("ssl.conf, line 2, column 13: ")
    assert "SECRET" not in message


def test_alts_is_refused(refuse: Refuse) -> None:
    assert refuse(flags={"use_alts_credentials": "true"}) == (
        "flag --use_alts_credentials: ALTS is not supported; use ssl_config_file for TLS"
    )


@pytest.fixture
def pem_files(tmp_path: Path) -> Path:
    for name in ("cert.pem", "key.pem", "ca.pem"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_certificates_of_rest(configure: Configure, pem_files: Path) -> None:
    flags = {
        "ssl_certificate_file": "cert.pem",
        "ssl_key_file": str(pem_files / "key.pem"),
        "ssl_client_ca_file": "ca.pem",
    }
    settings = configure(flags=flags).settings
    assert settings.ssl_certificate_file == str(pem_files / "cert.pem")
    assert settings.ssl_key_file == str(pem_files / "key.pem")
    assert settings.ssl_client_ca_file == str(pem_files / "ca.pem")


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            {"ssl_certificate_file": "/cert.pem"},
            'ssl_certificate_file = "/cert.pem" (flag --ssl_certificate_file) and '
            'ssl_key_file = "" (default) only work together',
        ),
        (
            {"ssl_key_file": "/key.pem"},
            'ssl_certificate_file = "" (default) and ssl_key_file = "/key.pem" '
            "(flag --ssl_key_file) only work together",
        ),
        (
            {"ssl_client_ca_file": "/ca.pem"},
            'ssl_client_ca_file = "/ca.pem" (flag --ssl_client_ca_file) needs '
            "ssl_certificate_file and ssl_key_file",
        ),
    ],
)
def test_certificates_that_miss_their_others(
    refuse: Refuse, flags: dict[str, str], line: str
) -> None:
    assert refuse(flags=flags) == line


@pytest.mark.parametrize("missing", ["ssl_certificate_file", "ssl_key_file", "ssl_client_ca_file"])
def test_certificates_must_be_readable(refuse: Refuse, pem_files: Path, missing: str) -> None:
    files = {
        "ssl_certificate_file": "cert.pem",
        "ssl_key_file": "key.pem",
        "ssl_client_ca_file": "ca.pem",
    }
    (pem_files / files[missing]).unlink()
    path = pem_files / files[missing]
    message = refuse(toml="".join(f"{name} = '{file}'\n" for name, file in files.items()))
    assert message.startswith(f'{missing} = "{str(path)[:40]}')
    assert message.endswith("(tensorgate.toml) cannot be read: No such file or directory")


@pytest.mark.parametrize("name", [*MONITORING, *SSL, "platform_config_file"])
def test_files_that_are_not_there(refuse: Refuse, name: str) -> None:
    assert refuse(flags={name: "x.conf"}).endswith(
        "config file x.conf cannot be read: No such file or directory"
    )
