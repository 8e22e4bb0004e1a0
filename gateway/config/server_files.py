"""TF Serving's small configuration files: MonitoringConfig and SSLConfig as protobuf text."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.explain import demand
from gateway.config.fields import MetricsPath
from gateway.config.proto_text import parse
from gateway.config.server_settings import MetricsSettings
from gateway.config.wording import quoted

_PEM = "-----BEGIN "


def monitoring_path(text: str, label: str) -> str:
    """The URL path of the metrics; empty when the file does not enable them. Raises ConfigError."""
    from gateway.protos.config_files import POOL, MonitoringConfig

    file = parse(text, MonitoringConfig(), label, POOL)
    prometheus = file.message.prometheus_config
    if not prometheus.enable:
        return ""
    path: str = prometheus.path or MetricsSettings.model_fields["monitoring_path"].default
    try:
        return TypeAdapter(MetricsPath).validate_python(path)
    except ValidationError as error:
        (mistake,) = error.errors()
        problem = f"path {demand(mistake)}, not {quoted(path)}"
        raise file.error(("prometheus_config", "path"), problem) from None


def read_ssl_config(text: str, label: str) -> Any:
    """An SSLConfig that a gRPC server can use, as far as can be told without reading the
    certificates. Raises ConfigError."""
    from gateway.protos.config_files import POOL, SSLConfig

    file = parse(text, SSLConfig(), label, POOL, secret=True)
    for name in ("server_key", "server_cert"):
        if not getattr(file.message, name):
            raise file.error((), f"{name} is missing")
    for name in ("server_key", "server_cert", "custom_ca"):
        # The value may be a key: it is not quoted.
        if getattr(file.message, name) and _PEM not in getattr(file.message, name):
            raise file.error((name,), f"{name} must be PEM text, inline, not a file's name")
    if file.message.client_verify and not file.message.custom_ca:
        raise file.error(("client_verify",), "client_verify needs custom_ca")
    return file.message
