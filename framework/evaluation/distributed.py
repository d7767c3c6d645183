"""The processes that share one evaluation: one per GPU, on one node or several. Lightning Fabric brings them together.

They only wait for each other, at the beginning and at the end, so they talk over gloo whatever the device is.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from framework.core.errors import UsageError

PATIENCE = timedelta(days=30)  # until the slowest process has answered its last question
LOOK = 0.5  # seconds between two looks at whether the parent is there


@dataclass(frozen=True)
class World:
    """Describes this process among `size`. `barrier` returns once all have reached it."""

    rank: int = 0
    size: int = 1
    barrier: Callable[[], None] = lambda: None

    @property
    def first(self) -> bool:
        """Says whether this process writes what is written once."""
        return self.rank == 0


def join(devices: int, num_nodes: int, accelerator: str, before: Callable[[], None] = lambda: None) -> World:
    """Joins the world of `devices` processes on each of `num_nodes` nodes.

    Started by torchrun or by SLURM (one task per process), it joins the others, and ends when torchrun does. Started
    alone with more than one device, it calls `before`, starts itself again under torchrun and does not return. Raises
    UsageError for fewer than one process, for more GPUs than there are, for an unknown accelerator, and for several
    nodes without a launcher. Jobs of submitit_local are single processes, so more than one device raises it there, too.
    """
    if devices < 1 or num_nodes < 1:
        raise UsageError(f"world.devices and world.num_nodes must be >= 1, got {devices} and {num_nodes}")
    launched = _launched(os.environ)
    if launched is None and devices * num_nodes == 1:
        return World()
    if "LOCAL_WORLD_SIZE" in os.environ:
        end_with_parent()
    _enough(devices if launched is None else launched[0], accelerator)
    if launched is None:
        if num_nodes > 1:
            raise UsageError(
                f"world.num_nodes={num_nodes} needs a launcher on every node: torchrun --nnodes {num_nodes} "
                f"--nproc-per-node {devices} -m framework.cli eval ..., or srun with one task per GPU"
            )
        if "SUBMITIT_EXECUTOR" in os.environ:
            raise UsageError(
                f"world.devices={devices} under launcher=submitit_local: its jobs are single processes; take "
                "world.devices=1, or launcher=submitit with one task per GPU"
            )
        before()
        _again(devices)
    assert launched is not None
    return _fabric(*launched, accelerator)


def _launched(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """(processes per node, nodes) that a launcher announced, or None."""
    if "LOCAL_WORLD_SIZE" in environment and "WORLD_SIZE" in environment:
        here, everywhere = int(environment["LOCAL_WORLD_SIZE"]), int(environment["WORLD_SIZE"])
        return here, max(1, everywhere // here)
    tasks, nodes = int(environment.get("SLURM_NTASKS", "1")), int(environment.get("SLURM_NNODES", "1"))
    if tasks > 1 and "SLURM_PROCID" in environment:
        return max(1, tasks // nodes), nodes
    return None


@cache
def end_with_parent() -> None:
    """Lets this process end when its parent does: a process that nobody waits for would go on writing."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()


def _enough(devices: int, accelerator: str) -> None:
    """UsageError for more processes than GPUs, where GPUs are used."""
    import torch

    there = torch.cuda.device_count()
    if accelerator not in ("auto", "cpu", "gpu", "cuda"):
        raise UsageError(f"world.accelerator must be auto, cpu or gpu, got {accelerator!r}")
    if accelerator != "cpu" and (there or accelerator != "auto") and devices > there:
        raise UsageError(f"world.devices={devices}, but this machine has {there} GPUs (key: world.accelerator=cpu)")


def _again(devices: int) -> None:
    """Replace this process by torchrun with `devices` copies of it."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(devices)]
    sys.stdout.flush()
    sys.stderr.flush()
    typed = sys.orig_argv  # sys.argv is what Hydra reads, quoted
    words = typed[typed.index("eval") :] if "eval" in typed else ["eval", *sys.argv[1:]]
    os.environ.pop("HYDRA_FULL_ERROR", None)  # set while a command runs; in the copies it would mean --debug
    os.execv(sys.executable, [*run, "-m", "framework.cli", *words])


@cache
def _fabric(devices: int, num_nodes: int, accelerator: str) -> World:
    """Join once per process; the cells of a sweep stay together."""
    import torch
    from lightning.fabric import Fabric
    from lightning.fabric.strategies import DDPStrategy, Strategy

    for speaker in ("lightning.fabric", "lightning.pytorch"):  # they announce every process
        logging.getLogger(speaker).setLevel(logging.WARNING)
    gpu = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
    strategy: Strategy = DDPStrategy(process_group_backend="gloo", timeout=PATIENCE)
    fabric: Any = Fabric(accelerator="cuda" if gpu else "cpu", devices=devices, num_nodes=num_nodes, strategy=strategy)
    fabric.launch()
    return World(fabric.global_rank, fabric.world_size, fabric.barrier)
