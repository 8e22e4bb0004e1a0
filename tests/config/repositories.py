"""Folders of a Triton model repository."""

from __future__ import annotations

from pathlib import Path


class Models:
    """A repository ``models`` in the working folder. SavedModels are empty files: configuration
    does not open them."""

    def __init__(self, cwd: Path, name: str = "models") -> None:
        self.root = cwd / name
        self.root.mkdir()
        self.flags = {"model_repository": name}

    def put(
        self,
        name: str,
        config: str | None = None,
        *,
        file: str = "saved_model.pb",
        version: int = 1,
    ) -> Path:
        """A model folder with one version, and a config.pbtxt if there is to be one."""
        folder = self.root / name / str(version)
        folder.mkdir(parents=True)
        (folder / file).touch()
        if config is not None:
            self.configure(name, config)
        return self.root / name

    def configure(self, name: str, config: str) -> None:
        (self.root / name / "config.pbtxt").write_text(config)
