"""``python -m gateway`` is the ``tensorgate`` command."""

from gateway.cli import main

main()
