"""The command line: ``tensorgate serve | demo | config show``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import click

from gateway import __version__
from gateway.config import ConfigError, Loaded, load
from gateway.config.options import SettingsCommand, given_flags, settings_options
from gateway.config.reload import ConfigSource
from gateway.config.show import as_json, as_table
from gateway.supervisor.shape import front_count

EXIT_CONFIG = 3

_MODEL_FLAGS = ("model_name", "model_base_path", "model_config_file", "model_repository")

Flags = str | tuple[str, ...] | None
"""As click gives them: tuples for those that may be repeated."""


def _with_underscores(token: str) -> str:
    return token.replace("-", "_")


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(f"tensorgate, version {__version__}")
        ctx.exit()


_version_flag = click.option(
    "--version",
    type=bool,
    is_flag=False,
    flag_value=True,
    is_eager=True,
    expose_value=False,
    metavar="[true|false]",
    callback=_print_version,
    help="Print the version and exit.",
)
"""TF Serving's: a switch among the server's flags, which may have a value."""


class _DropIn(click.Group):
    """Flags without a command are those of ``serve``, as tensorflow_model_server takes them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and not self._is_own_option(ctx, args[0]):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def _is_own_option(self, ctx: click.Context, argument: str) -> bool:
        return any(argument in parameter.opts for parameter in self.get_params(ctx))


@click.group(
    cls=_DropIn,
    context_settings={
        "token_normalize_func": _with_underscores,
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    epilog="Example: tensorgate --model_name=resnet --model_base_path=/models/resnet",
)
@click.version_option(__version__, prog_name="tensorgate")
def cli() -> None:
    """Serve TensorFlow SavedModels over TF Serving's REST API, in batches.

    Flags without a command are those of `serve`. Every flag is a setting: it can stand in
    tensorgate.toml or be the variable GATEWAY_<SETTING>, weaker than the flag. Settings of
    one model: [models.NAME] or GATEWAY_MODEL__<NAME>__<SETTING>.
    """


@cli.command(cls=SettingsCommand)
@settings_options()
@_version_flag
def serve(**flags: Flags) -> NoReturn:
    """Serve models until SIGTERM or Ctrl-C."""
    _serve(given_flags(flags))


@cli.command(cls=SettingsCommand)
@settings_options(leave_out=_MODEL_FLAGS)
@click.option(
    "--demo_dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the demo model is kept; else in the user's cache folder.",
)
def demo(demo_dir: Path | None, **flags: Flags) -> NoReturn:
    """Serve a small built-in model, which is made on first use."""
    # Only here: it needs TensorFlow.
    from gateway.demo import ensure_demo_model

    directory = demo_dir or _cache_folder(os.environ) / "tensorgate" / "demo-models"
    try:
        name, base_path = ensure_demo_model(directory)
    except OSError as error:
        _fail(f"the demo model cannot be kept in {directory}: {error.strerror or error}")
    nothing_else = {"model_config_file": "", "model_repository": ""}
    model = {"model_name": name, "model_base_path": str(base_path), **nothing_else}
    _serve(given_flags(flags) | model)


@cli.group()
def config() -> None:
    """Look into the configuration."""


@config.command(cls=SettingsCommand)
@settings_options()
@click.option("--json", "json_form", is_flag=True, help="Print JSON.")
def show(json_form: bool, **flags: Flags) -> None:
    """Print every setting in force and where it came from."""
    given = given_flags(flags)
    loaded = _or_fail(lambda: load(given, os.environ, Path.cwd(), require_models=False))
    click.echo(as_json(loaded) if json_form else as_table(loaded))


def main() -> None:
    """Entry point of the ``tensorgate`` command."""
    cli.main(prog_name="tensorgate")


def _serve(flags: Mapping[str, str]) -> NoReturn:
    source = ConfigSource(flags, os.environ, Path.cwd())
    loaded = _or_fail(source.load)
    for note in loaded.notes:
        click.echo(f"note: {note}", err=True)
    # Only now: mistakes in the configuration are told without waiting for TensorFlow.
    if fronts := front_count(loaded.settings.workers):
        _without_tensorflow()
        from gateway.supervisor.process import run as run_supervisor

        raise SystemExit(run_supervisor(loaded.settings, flags, fronts))
    from gateway.server import run

    raise SystemExit(run(loaded.settings, source))


def _without_tensorflow() -> None:
    """Begin again, in an interpreter without it, if the demo's model has just been made."""
    if "tensorflow" in sys.modules:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _or_fail(load_configuration: Callable[[], Loaded]) -> Loaded:
    try:
        return load_configuration()
    except ConfigError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    click.echo(f"tensorgate: {message}", err=True)
    raise SystemExit(EXIT_CONFIG)


def _cache_folder(environ: Mapping[str, str]) -> Path:
    """The XDG base directory for caches; relative values are to be ignored."""
    configured = Path(environ.get("XDG_CACHE_HOME", ""))
    return configured if configured.is_absolute() else Path.home() / ".cache"
