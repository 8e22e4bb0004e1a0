from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigError, Loaded, load

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """``load`` in a folder of its own, with an optional tensorgate.toml."""

    def call(
        flags: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        toml: str | None = None,
        **options: Any,
    ) -> Loaded:
        if toml is not None:
            (tmp_path / "tensorgate.toml").write_text(toml, encoding="utf-8")
        return load(flags or {}, environ or {}, tmp_path, **{"require_models": False} | options)

    return call


@pytest.fixture
def refuse(configure: Configure) -> Refuse:
    """As ``configure``, for configurations that are refused: the error's text."""

    def call(*args: Any, **kwargs: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            configure(*args, **kwargs)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return call
