"""The session settings that all models of a backend share, as a ConfigProto.

Works on a ConfigProto that is passed in; imports no framework.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import text_format

from gateway.backends.options import TensorFlowOptions
from gateway.errors import invalid_argument

ConfigProto = Any

_ON_1 = 1
"""OptimizerOptions.GlobalJitLevel: compile with XLA (config.proto)."""
_ON, _OFF = 1, 2
"""RewriterConfig.Toggle (rewriter_config.proto)."""


def configure(config: ConfigProto, options: TensorFlowOptions) -> None:
    """Put ``options`` into an empty ``config``.

    Raises ServingError, INVALID_ARGUMENT, for a session config file that cannot be read: one line
    with file, line and what is wrong, for whoever starts the server.
    """
    if options.session_config_file:
        _read(config, Path(options.session_config_file))
    config.allow_soft_placement = True
    if options.intra_op_parallelism:
        config.intra_op_parallelism_threads = options.intra_op_parallelism
    if options.inter_op_parallelism:
        config.inter_op_parallelism_threads = options.inter_op_parallelism
    if options.gpu_memory_fraction:
        config.gpu_options.per_process_gpu_memory_fraction = options.gpu_memory_fraction
    _choose_precision(config, options.mixed_precision)


def compile_with_xla(config: ConfigProto) -> None:
    """Let XLA compile what it can of the graphs.

    The remapper fuses a product with what follows it into operations that XLA does not know. A
    dense network would fall apart into clusters between them and take twice its time, not less.
    """
    config.graph_options.optimizer_options.global_jit_level = _ON_1
    config.graph_options.rewrite_options.remapping = _OFF


def leave_uncompiled(config: ConfigProto) -> None:
    """Take back what a session config file says of XLA: by itself that is about GPUs only."""
    config.graph_options.optimizer_options.ClearField("global_jit_level")


def _read(config: ConfigProto, file: Path) -> None:
    try:
        text_format.Parse(file.read_text(encoding="utf-8"), config)
    except text_format.ParseError as error:
        # The parser puts "LINE:COLUMN : " before its reason.
        reason = str(error).partition(" : ")[2] or str(error)
        raise invalid_argument(f"{file}:{error.GetLine() or 1}: {reason}") from None
    except OSError as error:
        raise invalid_argument(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise invalid_argument(f"{file}: not a text file") from None


def _choose_precision(config: ConfigProto, name: str) -> None:
    if name not in ("", "bfloat16"):
        raise invalid_argument(f"mixed precision must be bfloat16, not {name!r}")
    if name:
        rewrites = config.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = _ON
