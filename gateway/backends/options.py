"""How TensorFlow sessions are to run. Plain values: importing this imports no framework."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorFlowOptions:
    """Settings of every session of a backend; TF Serving's flags of like names."""

    tags: tuple[str, ...] = ("serve",)
    """Tags of the graph to load: the one that has exactly these."""
    intra_op_parallelism: int = 0
    """Threads that one operation may use; 0: the cores, divided among the CPU ``devices``. Settled
    by the first session of a process."""
    inter_op_parallelism: int = 0
    """Threads that run independent operations side by side; 0: one per core."""
    gpu_memory_fraction: float = 0
    """Share of a GPU's memory that TensorFlow may take; 0: as needed."""
    session_config_file: str = ""
    """A ConfigProto in protobuf text format. The settings above win where they are not 0."""
    mixed_precision: str = ""
    """``bfloat16``: compute in bfloat16 on the CPU where that is known to be safe."""
    xla_cpu: bool = False
    """Let XLA compile all models for CPUs, anew for each shape that comes a second time. Models
    that ask for XLA themselves are compiled whatever this says."""
    xla_gpu: bool = False
    """The same for GPUs."""
    devices: tuple[str, ...] = ()
    """Devices that the server runs models on; empty: one CPU device a core and all GPUs."""
