"""The command line's flags, made from the settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, get_args, get_origin

import click

from gateway.config.fields import AutoSize
from gateway.config.load import TOML_FLAG
from gateway.config.sections import SECTIONS
from gateway.config.settings import Settings
from gateway.config.tensorflow_serving import UNUSED_FLAGS
from gateway.config.triton.flags import OTHER_NAMES, REFUSED, UNUSED, OtherName
from gateway.config.wording import quoted

_METAVARS: dict[object, str] = {int: "INTEGER", float: "NUMBER", bool: "[true|false]"}

_OTHERS = {
    "Triton's names of these": tuple(OTHER_NAMES),
    "TensorFlow Serving's flags without effect here": tuple(UNUSED_FLAGS),
    "Triton's flags without effect here": tuple(UNUSED),
}
_REPEATED = frozenset(["model_repository", "model_store", "load_model"])
"""Flags of Triton's that are given once for each item, which may hold a comma."""


class SettingsCommand(click.Command):
    """A command whose flags are settings, with its help in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {
            parameter.name: record
            for parameter in self.get_params(ctx)
            if (record := parameter.get_help_record(ctx)) is not None
        }
        for heading, names in (SECTIONS | _OTHERS).items():
            rows = [records.pop(name) for name in names if name in records]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        with formatter.section("Other options"):
            formatter.write_dl(list(records.values()))


def settings_options(
    leave_out: Collection[str] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that adds a flag for each setting, other servers' flags, and ``--config``.

    The values stay text, ``None`` when not given, and tuples of texts for flags that may be
    repeated: ``given_flags`` brings them into the form that ``load`` decodes.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name, flag in {**REFUSED, **UNUSED, **UNUSED_FLAGS}.items():
            hidden = name in REFUSED
            function = _option(name, flag.kind, f"No effect: {flag.why}.", hidden=hidden)(function)
        for name, other in OTHER_NAMES.items():
            kind = bool if other.only else Settings.model_fields[other.setting].annotation
            function = _option(name, kind, _other_name(other))(function)
        for name in reversed([name for section in SECTIONS.values() for name in section]):
            if name not in leave_out:
                function = _setting_option(name)(function)
        return _toml_option(function)

    return decorate


_toml_option = click.option(
    f"--{TOML_FLAG}",
    metavar="FILE",
    help="TOML file with settings; without it GATEWAY_CONFIG, then ./tensorgate.toml.",
)


def given_flags(flags: Mapping[str, str | tuple[str, ...] | None]) -> dict[str, str]:
    """The flags that were given, as texts; those that may be repeated as JSON lists."""
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    return {n: v if isinstance(v, str) else json.dumps(v) for n, v in given.items()}


def _setting_option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    field = Settings.model_fields[name]
    return _option(name, field.annotation, f"{field.description}{_default(field.get_default())}")


def _other_name(other: OtherName) -> str:
    if not other.only:
        return f"As --{other.setting}."
    return f"{other.only} is --{other.setting}={other.value}."


def _option(
    name: str, annotation: Any, description: str, *, hidden: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    # A bare --server_timing means true. Other flags must not have these two arguments: with them
    # click takes the next argument for a flag when it starts with "-", as negative numbers do.
    switch: dict[str, Any] = {"is_flag": False, "flag_value": "true"}
    return click.option(
        f"--{name}",
        metavar=_metavar(annotation),
        help=description,
        hidden=hidden,
        multiple=name in _REPEATED,
        **(switch if annotation is bool else {}),
    )


def _metavar(annotation: Any) -> str:
    kind = get_origin(annotation)
    if kind is Literal:
        return f"[{'|'.join(filter(None, get_args(annotation)))}]"
    return "LIST" if kind is tuple else _METAVARS.get(annotation, "TEXT")


def _default(value: object) -> str:
    if value in ("", ()):
        return ""
    return f" [default: {value if isinstance(value, str | AutoSize) else quoted(value)}]"
