"""The command line in the tests' own process, with a server that only listens to us."""

from __future__ import annotations

from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.config import Settings


class Server:
    """In place of gateway.server: keeps the settings it was run with."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.exit_code = 0

    def run(self, settings: Settings) -> int:
        self.settings = settings
        return self.exit_code


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=environment, prog_name="tensorgate")
