"""Every call of the protocol but for its transport: REST and gRPC are two doors to this."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway import __version__
from gateway.errors import Code, ServingError, invalid_argument
from gateway.inference import Inference
from gateway.oip.control import ModelControl
from gateway.oip.describe import model_config, model_metadata
from gateway.oip.inference import Arrival, InferCalls
from gateway.oip.log_settings import LogSettings
from gateway.oip.messages import InferRequest
from gateway.oip.models import Models
from gateway.oip.raw_request import raw_request
from gateway.oip.repository import Repository
from gateway.oip.shared_memory import Region, SharedMemory
from gateway.oip.statistics import Statistics
from gateway.oip.trace import Tracer

SERVER_NAME = "tensorgate"
EXTENSIONS = (
    "classification",
    "model_repository",
    "model_repository(unload_dependents)",
    "schedule_policy",
    "model_configuration",
    "system_shared_memory",
    "binary_tensor_data",
    "parameters",
    "statistics",
    "trace",
    "logging",
)

Json = dict[str, Any]


class OipService:
    """The calls, with JSON objects under the protocol's names for answers but those of ``infer``.
    All raise ServingError. Lives on the event loop."""

    def __init__(
        self,
        inference: Inference,
        statistics: Statistics,
        control: ModelControl,
        *,
        devices: Sequence[str],
        is_draining: Callable[[], bool],
        allow_shared_memory: bool,
        max_input_bytes: int,
    ) -> None:
        """``devices`` run the models that name none. ``max_input_bytes`` bounds what one request
        takes out of shared memory."""
        self.inference = inference
        self._models = Models(inference.registry)
        self._statistics = statistics
        self._repository = Repository(inference.registry, control)
        self._memory = SharedMemory(allowed=allow_shared_memory)
        self._tracer = Tracer()
        self._log = LogSettings()
        self._calls = InferCalls(
            inference, self._models, self._memory, statistics, self._tracer, max_input_bytes
        )
        self._devices = devices
        self._is_draining = is_draining

    # Inference.

    async def infer(self, request: InferRequest, arrival: Arrival) -> bytes:
        """The answer as ``arrival.encode`` makes it. Cancelling the task that awaits it takes the
        request out of the queue at once."""
        return await self._calls.infer(request, arrival)

    def raw_request(self, name: str, version: str, data: bytes) -> InferRequest:
        """The request that is nothing but the one input's bytes (binary tensor extension)."""
        servable = self._models.resolve(name, version)
        queue = self._models.queue(servable)
        interface = self._models.interface(queue, self._models.settings(name))
        return raw_request(name, version, data, interface)

    # Health and descriptions.

    def server_live(self) -> bool:
        return True

    def server_ready(self) -> bool:
        """Whether every model takes requests, and the server does not stop."""
        return self.inference.registry.ready and not self._is_draining()

    def model_ready(self, name: str, version: str = "") -> bool:
        """False for what is unknown as well."""
        return self._models.is_ready(name, version)

    def server_metadata(self) -> Json:
        return {"name": SERVER_NAME, "version": __version__, "extensions": list(EXTENSIONS)}

    def model_metadata(self, name: str, version: str = "", signature_name: str = "") -> Json:
        """Of the signature that requests without a ``signature_name`` of their own get, unless one
        is given."""
        servable = self._models.resolve(name, version)
        queue = self._models.queue(servable, signature_name)
        interface = self._models.interface(queue, self._models.settings(name))
        versions = [str(number) for number in self._models.versions(name, version)]
        return model_metadata(name, versions, interface)

    def model_config(self, name: str, version: str = "", signature_name: str = "") -> Json:
        """Triton's ModelConfig, for the same signature as ``model_metadata``."""
        servable = self._models.resolve(name, version)
        queue = self._models.queue(servable, signature_name)
        settings = self._models.settings(name)
        interface = self._models.interface(queue, settings)
        return model_config(settings, queue, interface, settings.devices or self._devices)

    def statistics(self, name: str = "", version: str = "") -> Json:
        """Of one model's versions that take requests, or of all models'."""
        servables = self.inference.registry.servables()
        self._statistics.keep({(one.name, str(one.version)): one for one in servables})
        if name:
            servables = list(self._versions(name, version).values())
        return {
            "model_stats": [
                self._statistics.of(one.name, str(one.version)).as_json(one.name, str(one.version))
                for one in servables
            ]
        }

    def _versions(self, name: str, version: str) -> Mapping[int, Any]:
        try:
            found = self._models.versions(name, version)
        except (ServingError, KeyError):
            found = {}
        if not found:
            # Triton's answer here is 400, not 404.
            which = f" version {version}" if version else ""
            raise invalid_argument(f"requested model '{name[:256]}'{which} is not available")
        return found

    # The model repository.

    async def repository_index(self, *, ready: bool = False) -> list[dict[str, str]]:
        """``name``, ``version``, ``state`` and ``reason``; ``ready``: only what takes requests."""
        if not ready:
            await self._repository.look()
        return self._repository.index(ready=ready)

    async def load_model(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Returns when the model serves. ``parameters``: ``config``, a ModelConfig as JSON text."""
        await self._repository.load(name, parameters)

    async def unload_model(self, name: str, parameters: Mapping[str, Any]) -> None:
        """``parameters``: ``unload_dependents``."""
        await self._repository.unload(name, parameters)

    # Trace and log.

    def trace_settings(self, model: str = "") -> Json:
        """What is in force for a model, or for the server; values are strings or lists of them."""
        self._check_model(model)
        return self._tracer.settings(model).as_json()

    def update_trace_settings(self, settings: Mapping[str, Any], model: str = "") -> Json:
        """A value None clears a setting. Returns what is in force then."""
        self._check_model(model)
        return self._tracer.update(settings, model).as_json()

    def log_settings(self) -> Json:
        return self._log.as_json()

    def update_log_settings(self, settings: Mapping[str, Any]) -> Json:
        """Returns what is in force then."""
        return self._log.update(settings)

    def _check_model(self, name: str) -> None:
        if name and name not in self.inference.registry.models:
            self._models.resolve(name, "")

    # Shared memory.

    def shared_memory_status(self, name: str = "") -> list[Json]:
        """``name``, ``key``, ``offset`` and ``byte_size`` of one region or of all."""
        return self._memory.status(name)

    async def register_shared_memory(
        self, name: str, key: str, offset: int, byte_size: int
    ) -> None:
        """Let requests name ``byte_size`` bytes at ``offset`` of the shared memory object ``key``
        as the region ``name``."""
        self._memory.check_new(name, key, offset, byte_size)
        self._memory.add(await asyncio.to_thread(Region, name, key, offset, byte_size))

    def unregister_shared_memory(self, name: str = "") -> None:
        """Forget one region or all."""
        self._memory.remove(name)

    def cuda_shared_memory_status(self, name: str = "") -> list[Json]:
        """None: there is no CUDA shared memory."""
        return []

    def register_cuda_shared_memory(self, name: str) -> None:
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"failed to register CUDA shared memory region '{name[:256]}': CUDA shared memory is"
            " not supported",
        )

    def unregister_cuda_shared_memory(self, name: str = "") -> None:
        """There is nothing to forget."""

    def close(self) -> None:
        """Leave the process's log as it was."""
        self._log.restore()
