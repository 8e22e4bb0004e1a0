"""Contradictions inside a model's padding and trim rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.config.fields import parse_axis_reference
from gateway.config.settings import PadSettings, ResolvedModel
from gateway.config.wording import dotted, quoted


def padding_contradictions(model: ResolvedModel, origins: Mapping[str, str]) -> Iterator[str]:
    """One line for each rule that cannot hold together with another."""
    padding = dotted(("models", model.name, "padding"))
    for problem in _helper_inputs(model.padding):
        yield f"{padding}: {problem} ({origins[padding]})"
    trim = dotted(("models", model.name, "trim"))
    for problem in _trimmed_axes(model):
        yield f"{trim}: {problem} ({origins[trim]})"


def _helper_inputs(padding: Mapping[str, PadSettings]) -> Iterator[str]:
    """Masks and lengths are filled by us: once each, and never padded themselves."""
    filled_for: dict[str, str] = {}
    for alias, rule in padding.items():
        for helper in filter(None, (rule.mask_input, rule.length_input)):
            if helper in padding:
                yield f"{quoted(helper)} cannot be padded and be filled for {quoted(alias)}"
            if helper in filled_for:
                yield (
                    f"{quoted(helper)} would be filled twice, for {quoted(filled_for[helper])} "
                    f"and for {quoted(alias)}"
                )
            filled_for[helper] = alias


def _trimmed_axes(model: ResolvedModel) -> Iterator[str]:
    for output, axes in model.trim.items():
        for axis, reference in axes.items():
            alias, input_axis = parse_axis_reference(reference)
            rule = model.padding.get(alias)
            if rule is None or input_axis not in rule.axes:
                yield (
                    f"axis {axis} of {quoted(output)} follows axis {input_axis} of "
                    f"{quoted(alias)}, which is not padded"
                )
