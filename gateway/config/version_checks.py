"""Contradictions between a model's versions, labels and shadow."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.config.settings import ResolvedModel
from gateway.config.version_fields import LabelTarget, pinned_versions
from gateway.config.wording import quoted


def version_contradictions(model: ResolvedModel, quote: Callable[[str], str]) -> Iterator[str]:
    """One line for each; ``quote`` gives a setting of the model with its value and origin."""
    if model.default_label and model.default_label not in model.version_labels:
        yield f"{quote('default_label')} is not among {quote('version_labels')}"
    pinned = pinned_versions(model.model_version_policy)
    if pinned is None:
        return
    for label, target in model.version_labels.items():
        if missing := sorted(_versions(target) - pinned):
            yield (
                f"{quote('version_labels')}: {quoted(label)} names version {missing[0]}, which is "
                f"not in {quote('model_version_policy')}"
            )
    if model.shadow is not None and model.shadow.version not in pinned:
        yield (
            f"{quote('shadow')} names version {model.shadow.version}, which is not in "
            f"{quote('model_version_policy')}"
        )


def _versions(target: LabelTarget) -> set[int]:
    return {target} if isinstance(target, int) else set(target)
