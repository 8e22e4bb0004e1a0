"""The command line's flags, made from the settings."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal, get_args, get_origin

import click

from gateway.config.load import TOML_FLAG
from gateway.config.sections import SECTIONS
from gateway.config.settings import Settings
from gateway.config.tensorflow_serving import explain_flag
from gateway.config.wording import quoted

_METAVARS: dict[object, str] = {int: "INTEGER", float: "NUMBER", bool: "[true|false]"}


class SettingsCommand(click.Command):
    """A command whose flags are settings: help in sections, TF Serving's other flags explained."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            explanation = explain_flag(error.option_name.lstrip("-"))
            if explanation is None:
                raise
            raise click.UsageError(explanation, ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {
            parameter.name: record
            for parameter in self.get_params(ctx)
            if (record := parameter.get_help_record(ctx)) is not None
        }
        for heading, settings in SECTIONS.items():
            rows = [records.pop(name) for name in settings if name in records]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        with formatter.section("Other options"):
            formatter.write_dl(list(records.values()))


def settings_options(
    leave_out: Collection[str] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that adds a flag for each setting, and ``--config``.

    The values stay text, ``None`` when not given: ``load`` decodes them as it does the
    environment's.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        names = [name for section in SECTIONS.values() for name in section]
        for name in reversed(names):
            if name not in leave_out:
                function = _option(name)(function)
        return _toml_option(function)

    return decorate


_toml_option = click.option(
    f"--{TOML_FLAG}",
    metavar="FILE",
    help="TOML file with settings; without it GATEWAY_CONFIG, then ./tensorgate.toml.",
)


def _option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    field = Settings.model_fields[name]
    return click.option(
        f"--{name}",
        is_flag=False,
        # A bare --server_timing means true; only switches may stand without a value.
        flag_value="true" if field.annotation is bool else None,
        metavar=_metavar(field.annotation),
        help=f"{field.description}{_default(field.get_default())}",
    )


def _metavar(annotation: Any) -> str:
    kind = get_origin(annotation)
    if kind is Literal:
        return f"[{'|'.join(get_args(annotation))}]"
    return "LIST" if kind is tuple else _METAVARS.get(annotation, "TEXT")


def _default(value: object) -> str:
    if value in ("", ()):
        return ""
    return f" [default: {value if isinstance(value, str) else quoted(value)}]"
