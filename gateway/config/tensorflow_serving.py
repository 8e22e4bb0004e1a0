"""TF Serving's flags that have no effect here: accepted, so that its command lines work, and told
(tensorflow_model_server, model_servers/main.cc)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.config.errors import ConfigError
from gateway.config.text import decode_scalar
from gateway.config.wording import quoted

Kind = type[bool] | type[int] | type[str]

_NO_TFLITE = "models are served from their SavedModel"


@dataclass(frozen=True, slots=True)
class UnusedFlag:
    """A flag that is accepted, and why nothing follows from it."""

    kind: Kind
    why: str


UNUSED_FLAGS: Mapping[str, UnusedFlag] = {
    "grpc_max_threads": UnusedFlag(
        int, "one event loop takes all calls; max_queue_rows bounds those that wait"
    ),
    "use_alts_credentials": UnusedFlag(bool, "ALTS is not supported"),
    "enable_profiler": UnusedFlag(bool, "TensorFlow's profiler is not served"),
    "rest_api_num_threads": UnusedFlag(
        int, "one event loop takes all connections, and each device has a thread (see devices)"
    ),
    "thread_pool_factory_config_file": UnusedFlag(
        str, "each device has a thread of its own (see devices)"
    ),
    "flush_filesystem_caches": UnusedFlag(bool, "no cache is kept of the files that are read"),
    "prefer_tflite_model": UnusedFlag(bool, _NO_TFLITE),
    "num_tflite_pools": UnusedFlag(int, _NO_TFLITE),
    "num_tflite_interpreters_per_pool": UnusedFlag(int, _NO_TFLITE),
    "remove_unused_fields_from_bundle_metagraph": UnusedFlag(
        bool, "of the MetaGraph only the signatures are kept"
    ),
    "skip_initialize_tpu": UnusedFlag(bool, "no TPU is initialized"),
}

_EXPECTED: Mapping[Kind, Literal["true or false", "a whole number", "a text"]] = {
    bool: "true or false",
    int: "a whole number",
    str: "a text",
}


def check_value(name: str, text: str, kind: Kind) -> None:
    """Raises ConfigError for a flag's value that is not of its kind."""
    if not isinstance(decode_scalar(text, kind), kind):
        raise ConfigError(f"flag --{name} must be {_EXPECTED[kind]}, not {quoted(text)}")


def check_unused_flags(flags: Mapping[str, str]) -> Iterator[str]:
    """A note for each of ``flags`` that has no effect here.

    Raises ConfigError for a value that TF Serving would not take.
    """
    for name, text in flags.items():
        if name in UNUSED_FLAGS:
            check_value(name, text, UNUSED_FLAGS[name].kind)
            yield f"flag --{name} has no effect: {UNUSED_FLAGS[name].why}"
