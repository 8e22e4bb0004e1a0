"""What a front process is told when it starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class FrontSettings:
    """Plain values, which the supervisor sends as JSON."""

    number: int
    """Which of the fronts it is, from 0."""
    sockets: tuple[int, ...]
    """File descriptors that listen already."""
    engine: str
    """Where the engine is; empty while there is none."""
    max_body_bytes: int
    timeout: float
    """Seconds that a request may take."""
    keepalive: float
    """Seconds that a connection may rest."""
    hot_path: bool
    """Read plain predict requests here; else pass on everything."""
    server_timing: bool
    cors: bool
    ssl_certificate_file: str
    ssl_key_file: str
    ssl_client_ca_file: str
    log_level: str
    log_format: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, said: dict[str, Any]) -> Self:
        return cls(**{**said, "sockets": tuple(said["sockets"])})
