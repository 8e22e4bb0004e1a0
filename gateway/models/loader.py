"""From a version folder to a servable: load, find out what may be batched, warm up. Blocking part
first (``load_version``, on a loader thread), then the part that needs the event loop."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from batching import Batcher, DevicePool
from gateway.backends.base import Backend, Model, RunFunction, Signature
from gateway.config.settings import ResolvedModel
from gateway.metrics import Metrics, ServableLabels
from gateway.models.policies import batch_policy, check_padding, warmup_sizes
from gateway.models.servable import Servable, SignatureQueue
from gateway.models.warmup import probe_batch_independence, warm_up

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """A model that is warm, and what was found out about it."""

    model: Model
    runners: Mapping[str, Mapping[str, RunFunction]]
    """By signature and device."""
    alone_because: Mapping[str, str]
    """By signature: why its requests may not share runs; empty when they may."""


def load_version(
    backend: Backend, path: Path, settings: ResolvedModel, devices: Sequence[str]
) -> LoadedVersion:
    """Load and warm up. Blocks for seconds; raises ServingError when the folder does not load."""
    model = backend.load(path, devices)
    try:
        return _prepared(model, settings, devices)
    except BaseException:
        model.close()
        raise


def _prepared(model: Model, settings: ResolvedModel, devices: Sequence[str]) -> LoadedVersion:
    check_padding(settings, model.signatures)
    runners = {
        name: {device: model.runner(name, device) for device in devices}
        for name in model.signatures
    }
    alone_because: dict[str, str] = {}
    for name, signature in model.signatures.items():
        places = _one_of_each_kind(runners[name])
        alone_because[name] = _why_alone(settings, signature, places[0])
        if settings.warmup and not signature.stateful and signature.inputs:
            _warm_up(settings, signature, places, alone_because[name])
    return LoadedVersion(model, runners, alone_because)


def make_servable(
    loaded: LoadedVersion,
    settings: ResolvedModel,
    version: int,
    pool: DevicePool,
    metrics: Metrics,
) -> Servable:
    """Give each signature its queue. Needs the running event loop."""
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
