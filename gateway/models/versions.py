"""A version's life: START, LOADING, AVAILABLE, UNLOADING, END (TF Serving, get_model_status)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import ServingError
from gateway.models.servable import Servable


class State(StrEnum):
    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    UNLOADING = "UNLOADING"
    END = "END"


@dataclass(slots=True)
class VersionRecord:
    """One version of a model, loaded or not."""

    version: int
    state: State = State.START
    servable: Servable | None = None
    """Present exactly while AVAILABLE or UNLOADING."""
    error: ServingError | None = None
    """Why it ended, when it did not end by request."""

    def available(self, servable: Servable) -> None:
        self.state, self.servable, self.error = State.AVAILABLE, servable, None

    def failed(self, error: ServingError) -> None:
        self.state, self.servable, self.error = State.END, None, error
