"""What the processes of one training share: where they stand, their state, what they cost.

Each process trains on its part of every batch (`data.loader.Loader`, `nets.across`) and holds the
whole model, so that all have the same weights after every step. The first one writes.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import distributed as dist
from torch import nn

from selfcell.errors import ConfigError, StoreError
from selfcell.nets.across import max_across, processes, sum_across
from selfcell.train.checkpoint import Progress, StateFile
from selfcell.train.launch import launch
from selfcell.train.signals import EXIT_RETRY

PR_SET_PDEATHSIG = 1  # prctl.h
GONE = ("connection closed", "connection reset", "broken pipe", "remote process exited")


def enter(command: Sequence[str], processes: int, nodes: int = 1, cores: int = 1) -> None:
    """Make this process one of `processes` that train together; one alone is so already.

    Called where they are not started yet, it starts them, each running `command` itself, and ends
    as they did. On GPUs each process of a machine takes the one of its local rank.

    Args:
        command: the Python script and its options.
        processes: in all. nodes: that share them equally. cores: of each node, shared as well.

    Raises:
        ConfigError: torchrun started another number of processes, or there are GPUs, but fewer
            than processes.
        SystemExit: they were started here, and are done.
    """
    torch.set_num_threads(max(1, cores * nodes // processes))
    if processes == 1:
        return
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        launch(command, processes, nodes, cores)
        sys.exit(0)
    if os.environ["WORLD_SIZE"] != str(processes):
        got = f"torchrun started {os.environ['WORLD_SIZE']} processes"
        raise ConfigError(got, f"{processes}, as `pretraining.processes` says")
    if sys.platform == "linux":  # lest it trains on when who watches over it was killed
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if gpus := torch.cuda.device_count():
        if gpus < (here := int(os.environ["LOCAL_WORLD_SIZE"])):
            raise ConfigError(
                f"{here} processes and {gpus} GPUs on a node",
                "a GPU for each process, or none",
                "ask for as many, or hide them: CUDA_VISIBLE_DEVICES=",
            )
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl")
    else:
        dist.init_process_group("gloo")
    atexit.register(dist.destroy_process_group)


def leave_but_first(cost: Mapping[str, float]) -> dict[str, float]:
    """End every process but the first, which writes what all have made; what they cost together.

    Args:
        cost: `job.Meter.read()` of this process.

    Returns:
        The same of all: processor and GPU time and memory added, the wall time of the first.
    """
    if processes() == 1:
        return dict(cost)
    names = ("cpu_s", "gpu_s", "peak_mb")
    every = sum_across(torch.tensor([cost[name] for name in names], dtype=torch.float64))
    if rank():
        sys.exit(0)
    return {**cost, **{name: round(float(n), 3) for name, n in zip(names, every, strict=True)}}


def rank() -> int:
    """This process among those that train together, from 0."""
    return dist.get_rank() if processes() > 1 else 0


class SharedState(StateFile):
    """State of one run of several processes: the first writes it, all go on from it."""

    def save(self, progress: Progress, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Replace the state atomically, in the first process."""
        if rank() == 0:
            super().save(progress, model, optimiser)

    def load(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
        """Put the saved state into the model and the optimiser, in every process.

        Raises StoreError, in all of them, where they did not find the same.
        """
        progress = super().load(model, optimiser)
        least, most = -max_across(-progress.step), max_across(progress.step)
        if least != most:
            raise StoreError(
                f"{self.path}: some processes go on from step {least}, others from {most}",
                "one state file that all nodes see",
                "keep results/.state on a shared file system, then run again",
            )
        return progress


@contextmanager
def together() -> Iterator[None]:
    """Where another process is gone, stop to be continued; its own message says why it went."""
    try:
        yield
    except RuntimeError as error:
        if processes() == 1 or not any(word in str(error).lower() for word in GONE):
            raise
        print("another process of this training is gone; stopped to be continued", file=sys.stderr)
        sys.exit(EXIT_RETRY)
