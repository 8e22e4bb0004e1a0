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
    """Present exactly while AVAILABLE."""
    error: ServingError | None = None
    """Why it is not served, or why a newer content of its folder is not."""
    rejected: bool = False
    """Taken back because of its failures. Still served to those who ask for it by number or
    label, as long as it is loaded."""

    def started(self) -> None:
        """A load began; of a version that serves it replaces the content."""
        if self.servable is None:
            self.state = State.LOADING

    def available(self, servable: Servable) -> Servable | None:
        """Requests go to ``servable`` from now on; what they went to before."""
        former = self.servable
        self.state, self.servable, self.error = State.AVAILABLE, servable, None
        self.rejected = False
        return former

    def failed(self, error: ServingError) -> None:
        """A load failed. A copy that serves goes on serving."""
        self.error = error
        if self.servable is None:
            self.state = State.END

    def leaving(self) -> Servable:
        """No new requests from now on; the servable that is to be unloaded."""
        assert self.servable is not None, "only what is available can leave"
        servable = self.servable
        self.state, self.servable = State.UNLOADING, None
        return servable

    def ended(self) -> None:
        self.state = State.END
