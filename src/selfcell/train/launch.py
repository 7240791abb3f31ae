"""Start the processes of one training, on one machine or on the nodes of a Slurm job.

torchrun's own agent starts, watches and stops them; here is only where they meet, and what is
said when one of them dies. `torchrun --nproc-per-node P SCRIPT` does the same, said less plainly.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selfcell.errors import ConfigError, ProcessError
from selfcell.train.signals import EXIT_RETRY

LEAVE = 120  # seconds in which processes that were told to stop may save
MEET = 600  # seconds in which all nodes must have come
PORTS, FIRST_PORT = 20_000, 10_000  # below those that the system hands out by itself


def launch(command: Sequence[str], processes: int, nodes: int = 1, cores: int = 1) -> None:
    """Run a Python script with its options in so many processes; returns when all are done.

    With several nodes it is called once, in a Slurm job of that many nodes, and starts one task
    on each.

    Args:
        command: the script and its options.
        processes: in all. nodes: that share them equally. cores: of each node.

    Raises:
        ConfigError: `processes` is not a multiple of `nodes`, or several nodes without Slurm.
        ProcessError: a process was killed.
        SystemExit: a process ended by itself with another status than 0, which it is.
    """
    if processes % nodes:
        raise ConfigError(f"{processes} processes on {nodes} nodes", "as many on each node")
    if nodes == 1 or os.environ.get("SLURM_STEP_NUM_NODES") == str(nodes):
        _here(command, processes // nodes, nodes)
    elif "SLURM_JOB_ID" in os.environ:
        _on_each_node(command, nodes, cores)
    else:
        raise ConfigError(f"{nodes} nodes outside of a Slurm job", "1 node, or Slurm")


def _on_each_node(command: Sequence[str], nodes: int, cores: int) -> None:
    """This very command once on each node of the job."""
    step = [f"--nodes={nodes}", f"--ntasks={nodes}", f"--cpus-per-task={cores}"]
    # A node whose processes are gone ends those of the others.
    step += ["--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    with subprocess.Popen(["srun", *step, sys.executable, *command]) as srun:
        # Slurm tells every process of the job to stop; srun waits for those that save.
        before = signal.signal(signal.SIGTERM, lambda number, frame: None)
        status = srun.wait()
        signal.signal(signal.SIGTERM, before)
    if status:
        sys.exit(status)


def _here(command: Sequence[str], processes: int, nodes: int) -> None:
    """The processes of this node."""
    from torch.distributed.elastic.multiprocessing import (
        DefaultLogsSpecs,
        SignalException,
        Std,
    )
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    node = int(os.environ.get("SLURM_NODEID", "0")) if nodes > 1 else 0
    # The first process speaks for all; what the others say is kept for when they fail.
    quiet = {local: Std.ALL for local in range(processes) if node or local}
    with tempfile.TemporaryDirectory(prefix="selfcell") as logs:
        config = LaunchConfig(
            min_nodes=nodes,
            max_nodes=nodes,
            nproc_per_node=processes,
            max_restarts=0,  # trying again is the workflow's business
            logs_specs=DefaultLogsSpecs(log_dir=logs, redirects=quiet),
            shutdown_timeout=LEAVE,
            signals_to_handle="SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1",
            **_meeting(node, nodes, os.environ),
        )
        try:
            elastic_launch(config, sys.executable)(*command)
        except SignalException:
            sys.exit(EXIT_RETRY)
        except ChildFailedError as error:
            failed = {rank: failure.exitcode for rank, failure in error.failures.items()}
            rank, status = _cause(failed)
            first = error.failures[rank].local_rank
            said = "" if first not in quiet else _last_words(Path(logs), first)
            _explain(rank, status, processes * nodes, said)


def _meeting(node: int, nodes: int, environment: Mapping[str, str]) -> dict[str, Any]:
    """Where processes meet, as the agent wants it told: a free port of this machine, or a port of
    the first node that follows from the job's number, which all nodes know."""
    if nodes == 1:
        return {"rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0", "run_id": str(os.getpid())}
    job, names = environment["SLURM_JOB_ID"], environment["SLURM_STEP_NODELIST"]
    show = ["scontrol", "--oneliner", "show", "node", names]
    described = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    first = described.partition("NodeAddr=")[2].split()[0]  # the address that Slurm itself uses
    return {
        "rdzv_backend": "static",
        "rdzv_endpoint": f"{first}:{FIRST_PORT + int(job) % PORTS}",
        "rdzv_configs": {"rank": node, "timeout": MEET},
        "run_id": job,
    }


def _cause(status: Mapping[int, int]) -> tuple[int, int]:
    """Rank and status of the process that failed first: one that was killed, before one that
    ended by itself, before those that stopped, or were stopped, because another was gone."""

    def order(rank: int) -> tuple[int, int]:
        if status[rank] in (EXIT_RETRY, -signal.SIGTERM):
            return 2 + (status[rank] < 0), rank
        return int(status[rank] > 0), rank

    rank = min(status, key=order)
    return rank, status[rank]


def _last_words(logs: Path, local: int) -> str:
    """The end of what a quiet process said, its progress left out."""
    (file,) = logs.glob(f"**/{local}/stderr.log")
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([line for line in lines if line and "step/s" not in line][-20:])


def _explain(rank: int, status: int, processes: int, said: str) -> None:
    """Say which process failed and end as it did."""
    if said and status != EXIT_RETRY:
        print(f"process {rank} of {processes} said:\n{said}", file=sys.stderr)
    if status < 0:
        name = signal.Signals(-status).name
        raise ProcessError(
            f"process {rank} of {processes} was killed ({name})",
            "all processes of a training",
            "run the same command again, it goes on from the last saved state; if memory ran out, "
            "ask for more",
        )
    sys.exit(status)
