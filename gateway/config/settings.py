"""The whole configuration; the descriptions of its fields are the flags' help texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from gateway.config.fields import LocalPath, LocalPaths, ModelName, ModelNames
from gateway.config.inherited import (
    BatchSettings,
    InheritedSettings,
    RequestLogSettings,
    VersionSettings,
)
from gateway.config.model_settings import ModelSettings, PadSettings, ResolvedModel, ShadowSettings
from gateway.config.server_settings import ServerSettings

__all__ = [
    "BatchSettings",
    "InheritedSettings",
    "ModelSettings",
    "PadSettings",
    "RequestLogSettings",
    "ResolvedModel",
    "ServerSettings",
    "Settings",
    "ShadowSettings",
    "VersionSettings",
]


class Settings(InheritedSettings, ServerSettings):
    """Every setting. The fields of InheritedSettings are the models' defaults."""

    model_name: ModelName = Field(
        default="default", description="Name of the model in model_base_path."
    )
    model_base_path: LocalPath = Field(
        default="", description="Folder of one model's numbered version folders."
    )
    model_config_file: str = Field(
        default="", description="TF Serving's ModelServerConfig text file, for several models."
    )
    model_repository: LocalPaths = Field(
        default=(), description="Triton's model repositories: folders of model folders."
    )
    load_model: ModelNames = Field(
        default=(),
        description="Models of the repository to load at the start in mode explicit; * is all.",
    )
    models: dict[ModelName, ModelSettings] = Field(
        default={}, description="Models and what differs for them, by name."
    )

    def model_names(self) -> tuple[str, ...]:
        """Names of the models to serve, in the order of configuration."""
        return tuple(self._models_to_serve())

    def for_model(self, name: str) -> ResolvedModel:
        """What is in force for the model ``name``. Raises KeyError when there is no such model."""
        own = self._models_to_serve()[name]
        values: dict[str, Any] = {
            field: getattr(own, field) for field in ModelSettings.model_fields
        }
        for setting in InheritedSettings.model_fields:
            if values[setting] is None:
                values[setting] = getattr(self, setting)
        values["base_path"] = Path(own.base_path)
        values["devices"] = own.devices or self.devices
        return ResolvedModel(name=name, **values)

    def _models_to_serve(self) -> Mapping[str, ModelSettings]:
        """``models``, and the one of ``model_base_path`` unless a model config file overrides it.

        ``load`` writes that one into ``models`` as well; Settings made in code need not.
        """
        named = self.models.get(self.model_name, ModelSettings())
        if not self.model_base_path or self.model_config_file or named.base_path:
            return self.models
        single = named.model_copy(update={"base_path": self.model_base_path})
        return {**self.models, self.model_name: single}
