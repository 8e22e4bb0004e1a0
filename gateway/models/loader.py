"""From a version folder to a servable: load, find out what may be batched, warm up. Blocking part
first (``load_version``, on a loader thread), then the part that needs the event loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from batching import Batcher, DevicePool
from gateway.backends.base import Backend, Model, RunFunction, Signature
from gateway.config.batching_file import read_batching_parameters
from gateway.config.errors import ConfigError
from gateway.config.settings import ResolvedModel
from gateway.errors import Code, ServingError, invalid_argument
from gateway.metrics import Metrics, ServableLabels
from gateway.models.golden import check_golden_answers
from gateway.models.policies import batch_policy, check_padding, warmup_sizes
from gateway.models.servable import Servable, SignatureQueue
from gateway.models.warmup import probe_batch_independence, warm_up
from gateway.models.warmup_records import check_calls, read_warmup_calls, replay

logger = logging.getLogger(__name__)

BATCHING_FILE = "batching_params.pbtxt"


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What happens between a load and the first request, for all models."""

    replay_warmup: bool = True
    """Run the records of ``assets.extra/tf_serving_warmup_requests``."""
    warmup_iterations: int = 1
    batching_files: bool = False
    """A version is batched only as its ``batching_params.pbtxt`` says."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Warm-up records that were run."""

    status: str
    """Canonical code's name."""
    seconds: float
    records: int


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """A model that is warm, and what was found out about it."""

    model: Model
    settings: ResolvedModel
    """What is in force for this version."""
    runners: Mapping[str, Mapping[str, RunFunction]]
    """By signature and device."""
    alone_because: Mapping[str, str]
    """By signature: why its requests may not share runs; empty when they may."""


def load_version(
    backend: Backend,
    path: Path,
    settings: ResolvedModel,
    devices: Sequence[str],
    options: LoadOptions,
    on_replay: Callable[[Replay], None] = lambda replay: None,
) -> LoadedVersion:
    """Load, check and warm up. Blocks for seconds; raises ServingError when the version must not
    take requests. ``on_replay`` is told of warm-up records, in the calling thread."""
    if options.batching_files:
        settings = _with_batching_file(settings, path)
    model = backend.load(path, devices)
    try:
        return _prepared(model, path, settings, devices, options, on_replay)
    except BaseException:
        model.close()
        raise


def _with_batching_file(settings: ResolvedModel, path: Path) -> ResolvedModel:
    """TF Serving, --enable_per_model_batching_parameters: no file, no batching."""
    file = path / BATCHING_FILE
    if not file.is_file():
        return settings.model_copy(update={"batching": "off"})
    try:
        return settings.model_copy(update=read_batching_parameters(file, BATCHING_FILE))
    except ConfigError as error:
        raise invalid_argument(str(error)) from error


def _prepared(
    model: Model,
    path: Path,
    settings: ResolvedModel,
    devices: Sequence[str],
    options: LoadOptions,
    on_replay: Callable[[Replay], None],
) -> LoadedVersion:
    check_padding(settings, model.signatures)
    runners = {
        name: {device: model.runner(name, device) for device in devices}
        for name in model.signatures
    }
    if options.replay_warmup:
        _replay_records(path, model, runners, options.warmup_iterations, on_replay)
    alone_because: dict[str, str] = {}
    for name, signature in model.signatures.items():
        places = _one_of_each_kind(runners[name])
        alone_because[name] = _why_alone(settings, signature, places[0])
        if settings.warmup and not signature.stateful and signature.inputs:
            _warm_up(settings, signature, places, alone_because[name])
    if settings.golden_answers:
        first = {name: next(iter(places.values())) for name, places in runners.items()}
        check_golden_answers(path / settings.golden_answers, model.signatures, first)
    return LoadedVersion(model, settings, runners, alone_because)


def _replay_records(
    path: Path,
    model: Model,
    runners: Mapping[str, Mapping[str, RunFunction]],
    iterations: int,
    on_replay: Callable[[Replay], None],
) -> None:
    started = time.monotonic()
    status, records = Code.INTERNAL.name, 0
    try:
        calls = read_warmup_calls(path)
        check_calls(calls, model.signatures)
        status = Code.OK.name
        for runs in _each_kind(runners) if calls else ():
            records += replay(calls, runs, iterations)
    except ServingError as error:
        status = error.code.name
        raise
    finally:
        if records or status != Code.OK.name:
            on_replay(Replay(status, time.monotonic() - started, records))


def _each_kind(
    runners: Mapping[str, Mapping[str, RunFunction]],
) -> list[dict[str, RunFunction]]:
    """Every signature's run function, once for each copy of the model."""
    kinds = {name: _one_of_each_kind(places) for name, places in runners.items()}
    copies = max((len(places) for places in kinds.values()), default=0)
    return [{name: places[copy] for name, places in kinds.items()} for copy in range(copies)]


def make_servable(
    loaded: LoadedVersion, version: int, pool: DevicePool, metrics: Metrics
) -> Servable:
    """Give each signature its queue. Needs the running event loop."""
    settings = loaded.settings
    queues: dict[str, SignatureQueue] = {}
    for name, signature in loaded.model.signatures.items():
        labels = ServableLabels(settings.name, str(version), name)
        observer = metrics.add_batcher(labels)
        policy = batch_policy(settings, signature, loaded.alone_because[name])
        runners = loaded.runners[name]
        batcher = Batcher(
            next(iter(runners.values())),
            pool,
            policy,
            name="/".join(labels),
            executors=tuple(runners),
            run_on=runners,
            dtypes={alias: spec.dtype for alias, spec in signature.inputs.items()},
            observer=observer,
        )
        observer.batcher = batcher
        optional = policy.padding.filled_inputs if policy.padding else frozenset()
        queues[name] = SignatureQueue(signature, batcher, optional, loaded.alone_because[name])
    return Servable(settings.name, version, loaded.model, queues)


def _one_of_each_kind(runners: Mapping[str, RunFunction]) -> list[RunFunction]:
    """Logical CPU devices share one copy of the model; every GPU has its own."""
    cpus = [run for device, run in runners.items() if device.startswith("cpu:")]
    return [run for device, run in runners.items() if not device.startswith("cpu:")] + cpus[:1]


def _why_alone(settings: ResolvedModel, signature: Signature, run: RunFunction) -> str:
    if settings.batching == "off":
        return "batching is off for this model"
    if not signature.inputs:
        return "the signature has no inputs"
    if settings.batching == "on":
        return ""
    reason = signature.unbatchable
    if not reason and settings.warmup and settings.max_batch_size > 1:
        reason = probe_batch_independence(run, signature)
    if reason:
        logger.debug(
            "requests run one by one",
            extra={"model": settings.name, "signature": signature.name, "reason": reason},
        )
    return reason


def _warm_up(
    settings: ResolvedModel, signature: Signature, places: Sequence[RunFunction], alone_because: str
) -> None:
    sizes = warmup_sizes(settings, alone_because)
    for run in places:
        for failure in warm_up(run, signature, sizes).failures:
            logger.debug(
                "a warm-up run failed",
                extra={"model": settings.name, "signature": signature.name, "reason": failure},
            )
