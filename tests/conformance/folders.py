"""Version folders that come, go and break while a server looks at them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance.configuration import Model, model_config

VARIABLES = Path("variables", "variables.data-00000-of-00001")


@dataclass(frozen=True, slots=True)
class Repository:
    """Base paths below ``root``, and the models of a server's config file."""

    root: Path
    exported: Callable[[int], Path]
    """A version folder whose model adds the number; for reading only."""
    served: dict[str, Model] = field(default_factory=dict)
    """What the config file says now."""

    def put(self, model: str, name: int | str, adds: int | None = None) -> Path:
        """A whole version folder, there at once, that ``adds`` its own number if nothing else."""
        source = self.exported(int(name) if adds is None else adds)
        return self.put_copy(model, name, source)

    def put_copy(self, model: str, name: int | str, source: Path) -> Path:
        target = self.root / model / str(name)
        target.parent.mkdir(exist_ok=True)
        arriving = target.with_name(".arriving")
        shutil.copytree(source, arriving)
        if target.exists():
            self.remove(model, name)
        return arriving.rename(target)

    def remove(self, model: str, name: int | str) -> None:
        """Gone at once."""
        leaving = (self.root / model / str(name)).rename(self.root / model / ".leaving")
        shutil.rmtree(leaving)

    def serve(self, model: str, policy: str = "", labels: Mapping[str, int] | None = None) -> None:
        self.served[model] = Model(self.root / model, policy, labels or {})

    def write_config(self) -> Path:
        return self.write_text(model_config(self.served))

    def write_text(self, text: str) -> Path:
        """The config file; a look at it finds the old text or the new one."""
        written = self.root / "models.conf.new"
        written.write_text(text)
        return written.rename(self.root / "models.conf")


def damage(version_folder: Path) -> Path:
    """Make the variables unreadable."""
    data = version_folder / VARIABLES
    data.write_bytes(bytes(data.stat().st_size))
    return version_folder
