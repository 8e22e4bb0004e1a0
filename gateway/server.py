"""A serving process from start to exit, as an ordered story."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import uvloop

from gateway import __version__
from gateway.app import Gateway
from gateway.backends.base import Backend
from gateway.backends.options import TensorFlowOptions
from gateway.config.errors import ConfigError
from gateway.config.reload import ConfigSource
from gateway.config.settings import Settings
from gateway.errors import ServingError
from gateway.example import curl_line
from gateway.grpc.credentials import GrpcTls
from gateway.grpc.listener import GrpcListener
from gateway.http.listener import Listener, PortBusyError
from gateway.http.tls import CERTIFICATE_POLL_SECONDS, ServerTls, TlsError
from gateway.logs import configure
from gateway.models.registry import ModelEntry

logger = logging.getLogger(__name__)

EXIT_OK, EXIT_CONFIG, EXIT_MODEL, EXIT_PORT = 0, 3, 4, 5

LOG_FLUSH_SECONDS = 5.0
"""For what still waits for the request log when everything is answered."""

SWITCH_INTERVAL_SECONDS = 1e-4
"""How soon a device thread gets the interpreter back from a busy event loop. At Python's 5 ms a
busy loop halves the batches a second."""


class Listening(Protocol):
    """The way in for requests: ``http.listener.Listener`` or what takes its place."""

    async def start(self) -> int:
        """Take connections; the server's port. Raises PortBusyError or OSError."""

    async def stop_accepting(self) -> None: ...

    async def say_goodbye(self) -> None:
        """Wait while open connections send their last requests."""

    async def close(self, seconds: float = 0.0, /) -> None:
        """Close every connection, answers on their way after so many seconds."""


class Surroundings(Protocol):
    """Where a serving process gets its connections and its orders from."""

    async def prepare(self, settings: Settings) -> None:
        """What can fail before the framework is loaded. Raises GiveUp."""

    def make_listener(self, gateway: Gateway) -> Listening: ...

    async def until_stop(self, settings: Settings) -> float:
        """Wait until the process is to stop; within how many seconds."""

    @property
    def reload_asked(self) -> asyncio.Event:
        """Set when the configuration is to be read again."""

    async def follow_files(self) -> None:
        """Follow files that are not the configuration's. Runs until cancelled."""

    def listening(self) -> None:
        """Connections are taken."""

    def ready(self) -> None:
        """What can be loaded is loaded."""


def run(
    settings: Settings,
    source: ConfigSource | None = None,
    surroundings: Callable[[], Surroundings] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. ``source`` is where ``settings`` came from: it
    is read again on SIGHUP, and when its files change if that was asked for. ``surroundings``,
    called on the event loop, is for a process that does not stand alone.

    0 after everything in flight was answered, 4 when no model could be loaded, 5 when the port is
    taken, 3 when the settings do not fit this host.
    """
    flush_logs = configure(settings.log_level, settings.log_format)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            made = surroundings or Alone
            code = _serve_or_give_up(runner, settings, source, made, flush_logs)
            _exit_now(code, flush_logs)
    except KeyboardInterrupt:
        _exit_now(130, flush_logs)
    return code


class GiveUp(Exception):
    """The server cannot start."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def _serve_or_give_up(
    runner: asyncio.Runner,
    settings: Settings,
    source: ConfigSource | None,
    surroundings: Callable[[], Surroundings],
    flush_logs: Callable[[], None],
) -> int:
    try:
        return runner.run(_serve(settings, source, surroundings))
    except GiveUp as given_up:
        # The reason is the last line, and one write: the log's own thread writes there too.
        flush_logs()
        sys.stderr.write(f"tensorgate: {given_up}\n")
        return given_up.code


def _exit_now(code: int, flush_logs: Callable[[], None]) -> None:
    """Leave without joining threads: a hung device would hold the process for ever."""
    flush_logs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _serve(
    settings: Settings, source: ConfigSource | None, make_surroundings: Callable[[], Surroundings]
) -> int:
    surroundings = make_surroundings()
    started = time.monotonic()
    await surroundings.prepare(settings)
    try:
        backend = await asyncio.to_thread(_load_backend, settings)
        gateway = Gateway(settings, backend, source=source)
        await gateway.open_request_logs()
    except (ServingError, ConfigError) as error:
        raise GiveUp(EXIT_CONFIG, str(error)) from error
    listener = surroundings.make_listener(gateway)
    grpc = GrpcListener(gateway, settings)
    try:
        port = await listener.start()
        await grpc.start()
    except PortBusyError as error:
        raise GiveUp(EXIT_PORT, str(error)) from error
    except OSError as error:
        reason = f"cannot listen on {settings.host}: {error.strerror}"
        raise GiveUp(EXIT_PORT, reason) from error
    except ConfigError as error:
        raise GiveUp(EXIT_CONFIG, str(error)) from error
    surroundings.listening()
    _say(f"Tensorgate {__version__}, {backend.description}, on {_devices(gateway)}")
    reloading = asyncio.create_task(_follow(gateway, settings, grpc, surroundings))
    loading = asyncio.create_task(gateway.manager.load_all(watch=True))
    stopping = asyncio.create_task(surroundings.until_stop(settings))
    await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
    if loading.done():
        loading.result()
        if failed := _fatal(gateway, settings):
            raise GiveUp(EXIT_MODEL, _problems(failed))
        surroundings.ready()
        seconds = time.monotonic() - started
        ready = asyncio.create_task(_say_ready(gateway, settings, port, grpc, seconds))
        await stopping
        ready.cancel()
    reloading.cancel()
    await _stop(gateway, listener, grpc, stopping.result())
    return EXIT_OK


def _load_backend(settings: Settings) -> Backend:
    from gateway.backends.tensorflow import TensorFlowBackend

    return TensorFlowBackend(
        TensorFlowOptions(
            tags=settings.saved_model_tags,
            intra_op_parallelism=settings.tensorflow_intra_op_parallelism,
            inter_op_parallelism=settings.tensorflow_inter_op_parallelism,
            gpu_memory_fraction=settings.per_process_gpu_memory_fraction,
            session_config_file=settings.tensorflow_session_config_file,
            mixed_precision=settings.mixed_precision,
            xla_cpu=settings.xla_cpu_compilation_enabled,
            xla_gpu=settings.xla_gpu_compilation_enabled,
        )
    )


def _fatal(gateway: Gateway, settings: Settings) -> Mapping[str, ModelEntry]:
    """Models without which the server shall not run: all, when none serves and none is on its way
    to, and each that failed, if the settings say so. In explicit control others can be loaded."""
    entries = gateway.registry.models
    ready = any(entry.ready for entry in entries.values())
    explicit = settings.model_repository and settings.model_control_mode == "explicit"
    if not ready and not explicit and not gateway.manager.on_its_way:
        return entries
    if not settings.exit_on_error:
        return {}
    return {
        name: entry
        for name, entry in entries.items()
        if not entry.ready and not entry.is_foreign and not entry.is_loading(None)
    }


async def _follow(
    gateway: Gateway, settings: Settings, grpc: GrpcListener, surroundings: Surroundings
) -> None:
    """Reload when that is asked for, and when files change if the settings say so."""
    if (reloader := gateway.reloader) is None:
        return
    seconds = settings.model_config_file_poll_wait_seconds
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reloader.follow(surroundings.reload_asked, seconds))
        tasks.create_task(surroundings.follow_files())
        if grpc.tls is not None:
            tasks.create_task(_follow_certificate(grpc.tls))


async def _follow_certificate(tls: GrpcTls) -> None:
    """New connections get a renewed certificate soon after its files were replaced."""
    while True:
        await asyncio.sleep(CERTIFICATE_POLL_SECONDS)
        try:
            if await asyncio.to_thread(tls.reload):
                logger.info("certificate reloaded")
        except ConfigError as error:
            logger.error("certificate not reloaded", extra={"reason": str(error)})


class Alone:
    """Everything in one process: it has the port, the certificate and the signals."""

    def __init__(self) -> None:
        self.reload_asked = asyncio.Event()
        self._stop = _StopRequests()
        self._tls: ServerTls | None = None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        # It must not end the process, from the start on.
        loop.add_signal_handler(signal.SIGHUP, self.reload_asked.set)

    async def prepare(self, settings: Settings) -> None:
        if not settings.ssl_certificate_file:
            return
        files = settings.ssl_certificate_file, settings.ssl_key_file, settings.ssl_client_ca_file
        try:
            self._tls = await asyncio.to_thread(ServerTls, *files)
        except TlsError as error:
            raise GiveUp(EXIT_CONFIG, str(error)) from error

    def make_listener(self, gateway: Gateway) -> Listening:
        settings, tls = gateway.settings, self._tls
        context = tls.context if tls is not None else None
        return Listener(gateway.make_server(), settings.host, settings.rest_api_port, context)

    async def until_stop(self, settings: Settings) -> float:
        await self._stop.wait()
        return settings.drain_timeout_s

    async def follow_files(self) -> None:
        if self._tls is not None:
            await self._tls.follow()

    def listening(self) -> None:
        """Nobody else needs to know."""

    def ready(self) -> None:
        """Nobody else needs to know."""


class _StopRequests:
    """SIGTERM and SIGINT: the first asks for a drain, the second leaves at once."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def __call__(self, number: int) -> None:
        if self._asked.is_set():
            os._exit(128 + number)
        self._asked.set()

    async def wait(self) -> None:
        await self._asked.wait()


async def _stop(gateway: Gateway, listener: Listening, grpc: GrpcListener, seconds: float) -> None:
    """Not ready; no new connections; last requests of the open ones; their answers; the end."""
    end = time.monotonic() + seconds
    gateway.router.draining = True
    grpc.refuse()
    await listener.stop_accepting()
    try:
        async with asyncio.timeout(seconds):
            await listener.say_goodbye()
            while gateway.in_flight:  # noqa: ASYNC110 - seldom, and for milliseconds
                await asyncio.sleep(0.005)
            await gateway.drain()
    except TimeoutError:
        logger.warning("stopped with requests unanswered", extra={"requests": gateway.in_flight})
    gateway.close()
    await grpc.stop()
    await listener.close(end - time.monotonic())
    await gateway.close_request_logs(LOG_FLUSH_SECONDS)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the start-up lines are the program's output


def _devices(gateway: Gateway) -> str:
    return ", ".join(executor.name for executor in gateway.pool.executors)


def _problems(entries: Mapping[str, ModelEntry]) -> str:
    problems = (
        f"model {name}: {problem.message if (problem := entry.problem()) else 'not loaded'}"
        for name, entry in entries.items()
    )
    return "; ".join(problems)


def _unbatched(gateway: Gateway) -> str:
    queues = [q for servable in gateway.registry.servables() for q in servable.queues.values()]
    alone = sum(bool(queue.alone_because) for queue in queues)
    if not alone:
        return ""
    return f"; {alone} of {len(queues)} signatures are not batched, --log_level=debug says why"


async def _say_ready(
    gateway: Gateway, settings: Settings, port: int, grpc: GrpcListener, seconds: float
) -> None:
    entries = gateway.registry.models
    serving = [f"{name} v{e.latest.version}" for name, e in entries.items() if e.latest]
    listed = ", ".join(serving[:8]) + (f" and {len(serving) - 8} more" if serving[8:] else "")
    _say(f"Serving {listed} (ready in {seconds:.1f} s{_unbatched(gateway)})")
    failed = [name for name, entry in entries.items() if not entry.ready]
    if failed:
        _say(f"Not loaded, see the log: {', '.join(failed)}")
    host = settings.host if settings.host not in ("", "0.0.0.0", "::") else "localhost"  # noqa: S104
    scheme = "https" if settings.ssl_certificate_file else "http"
    url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    _say(f"REST on {url}, metrics on {url}/metrics")
    if grpc.places:
        _say(f"gRPC on {grpc.places}")
    example = next((e.latest for e in entries.values() if e.latest), None)
    if example is not None:
        _say(await curl_line(example, url))
