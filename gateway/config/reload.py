"""The configuration of a running server, read again when its files change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.config.checks import refuse_contradictions
from gateway.config.files import ConfigFiles, digest
from gateway.config.load import Loaded, load
from gateway.config.settings import ServerSettings, Settings
from gateway.config.triton.choice import Choice
from gateway.config.triton.folders import find_models
from gateway.config.triton.repository import RepositoryModel

_ONLY_LEAD_TO_OTHERS = frozenset(
    [
        "enable_batching",
        "batching_parameters_file",
        "monitoring_config_file",
        "platform_config_file",
        "tensorflow_session_parallelism",
        "strict_model_config",
        "model_config_name",
        "repository_poll_secs",
    ]
)
"""Settings of the server that nothing reads but ``load``."""

ModelChange = Callable[[Mapping[str, RepositoryModel]], Choice]
"""From the models in force to the choice of what is to be."""

_SERVER_ONLY = tuple(
    name for name in ServerSettings.model_fields if name not in _ONLY_LEAD_TO_OTHERS
)


class ConfigSource:
    """The flags, environment and folder of this process, to load the configuration from.

    Not safe for use by several threads at once.
    """

    def __init__(self, flags: Mapping[str, str], environ: Mapping[str, str], cwd: Path) -> None:
        self._flags, self._environ, self._cwd = dict(flags), dict(environ), cwd
        self._digests: dict[Path, bytes] = {}
        self._in_force: Loaded | None = None
        self.repository_names: frozenset[str] = frozenset()
        """Models of the Triton model repository, as the last look found them."""

    def load(self, change: ModelChange | None = None) -> Loaded:
        """As ``gateway.config.load``, from what the files say now. Raises ConfigError.

        In explicit model control the models of the repository are those in force, as they were
        read then, but for ``change``; ``keep`` tells what is in force, after the first load.
        """
        files = ConfigFiles(self._cwd)
        choice = self._choice(change)
        try:
            loaded = load(self._flags, self._environ, self._cwd, files=files, choice=choice)
        except Exception:
            # It may have stopped before some files that it read the last time.
            self._digests = {path: digest(path) for path in self._digests} | files.digests
            raise
        self._digests = files.digests
        self.repository_names = loaded.repository_names
        if self._in_force is None:
            self._in_force = loaded
        return loaded

    def look(self) -> None:
        """Look which models the repository has. Blocks; raises ConfigError."""
        if self._in_force is not None:
            repositories = self._in_force.settings.model_repository
            found = find_models(repositories, ConfigFiles(self._cwd))
            self.repository_names = frozenset(found.models)

    def keep(self, loaded: Loaded) -> None:
        """``loaded`` is in force."""
        self._in_force = loaded

    def _choice(self, change: ModelChange | None) -> Choice | None:
        if self._in_force is None:
            return None
        models = self._in_force.repository
        return Choice(models) if change is None else change(models)

    def changed(self) -> bool:
        """Whether a file is not as the last ``load`` found it, whether that succeeded or not.

        Reads the files (the TOML file and those of TF Serving's form that it or the flags
        name), so not for the event loop. Never raises.
        """
        return self.fingerprint() != self._digests

    def fingerprint(self) -> object:
        """A value that is equal as long as the bytes of all files are. As ``changed``."""
        return {path: digest(path) for path in self._digests}


def server_changes(old: Settings, new: Settings) -> list[str]:
    """Settings of the whole server that differ and come into force at the next start only."""
    return [name for name in _SERVER_ONLY if getattr(old, name) != getattr(new, name)]


def with_server_settings_of(
    old: Settings, new: Settings, origins: Mapping[str, str] | None = None
) -> Settings:
    """``new`` with the values of ``old`` for what cannot change while the server runs.

    Raises ConfigError when a setting of ``new`` cannot stand beside them; ``origins``, those of
    ``new``, are for its text.
    """
    kept = {name: getattr(old, name) for name in _SERVER_ONLY}
    merged = new.model_copy(update=kept)
    known = {**(origins or {}), **dict.fromkeys(server_changes(old, new), "kept until a restart")}
    refuse_contradictions(merged, defaultdict(lambda: "configured", known))
    return merged
