"""The command line in the tests' own process, with a server that only listens to us."""

from __future__ import annotations

from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.config import Settings
from gateway.config.reload import ConfigSource


class Server:
    """In place of gateway.server: keeps what it was run with."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.source: ConfigSource | None = None
        self.exit_code = 0

    def run(self, settings: Settings, source: ConfigSource) -> int:
        self.settings, self.source = settings, source
        return self.exit_code


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=environment, prog_name="tensorgate")
