"""What the registry says of versions, for the scrape."""

from __future__ import annotations

from gateway.metrics.records import VersionState
from gateway.models.registry import Registry


def version_states(registry: Registry) -> list[VersionState]:
    """Every version of every model, loaded or not. May run on any thread: ``list`` copies each
    mapping before the event loop can change it."""
    return [
        VersionState(name, record.version, record.state.value)
        for name, entry in list(registry.models.items())
        for record in list(entry.versions.values())
    ]
