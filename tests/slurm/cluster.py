"""A Slurm on this machine: munged, slurmctld and a slurmd a node, without systemd or cgroups.

Everything it writes lies in one folder and every programme it starts is its child, so nothing
outlives it. /etc is not touched: the jobs' inner `srun`, which the executor plugin strips of
SLURM_CONF, is told where the configuration is by a wrapper that comes first on the path.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

HOST = socket.gethostname().split(".")[0]
CPUS = (os.cpu_count() or 1) + 1  # one more than there are, for a job that is held
CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket,cred_expire={silence}
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdTimeout={silence}
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=UsePss,OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
# Of a job that squeue forgets before it is asked no end would ever be known.
MinJobAge=86400
SlurmdParameters=config_overrides
KillWait=10
GresTypes=gpu
PartitionName=main Nodes=ALL Default=YES MaxTime=1-0 State=UP
"""
NODE = """NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} \
RealMemory={memory} Gres=gpu:2 State=UNKNOWN
"""


class Cluster:
    """One partition `main` of nodes `n1`, ..., each with two make-believe GPUs; no accounting.

    A node is given up after `silence` seconds without a word, and its jobs start elsewhere.
    """

    def __init__(self, root: Path, nodes: int = 1, silence: int = 300) -> None:
        self.root, self.silence = root, silence
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self._started: list[subprocess.Popen[bytes]] = []
        self.environment = {
            "SLURM_CONF": str(root / "slurm.conf"),
            "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def up(self) -> None:
        """Start it; returns when all nodes take jobs."""
        self._write()
        munge = self.root / "munge"
        self._start(
            *("munged", "--foreground", "--force", f"--socket={munge / 'socket'}"),
            *(f"--key-file={munge / 'key'}", f"--pid-file={munge / 'pid'}"),
            *(f"--seed-file={munge / 'seed'}", f"--log-file={munge / 'log'}"),
        )
        self.wait(lambda: (munge / "socket").exists(), "munged")
        self._start("slurmctld", "-D", "-c")
        self.wait(lambda: "is UP" in self.ask("scontrol", "ping"), "slurmctld")
        for node in self.nodes:
            self._start("slurmd", "-D", "-N", node)
        idle = ["sinfo", "-h", "-t", "idle", "-o", "%D"]
        self.wait(lambda: self.ask(*idle).strip() == str(len(self.nodes)), "slurmd")

    def down(self) -> None:
        """Cancel its jobs and stop what `up` started."""
        if len(self._started) > 1:
            self.ask("scancel", "--user", str(os.getuid()))
            until = time.monotonic() + 30
            while self.ask("squeue", "-h") and time.monotonic() < until:
                time.sleep(0.2)
        for process in reversed(self._started):
            process.terminate()
            process.wait(30)
        self._started.clear()

    def lose(self, node: str) -> None:
        """Let a node die: its daemon, and all that Slurm started there, are gone at once."""
        daemon = next(each for each in self._started if list(each.args)[-1] == node)
        self._started.remove(daemon)
        daemon.kill()
        daemon.wait()
        here = {f"SLURM_CONF={self.root}/slurm.conf".encode(), f"SLURM_NODELIST={node}".encode()}
        log = self.root / f"slurmd-{node}.log"  # which each step of a job holds open
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                of_a_job = here <= set((folder / "environ").read_bytes().split(b"\0"))
                if of_a_job or log in [file.readlink() for file in (folder / "fd").iterdir()]:
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                continue  # ended meanwhile, or somebody else's

    def ask(self, *command: str) -> str:
        """What a Slurm command says; "" where it fails."""
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout if done.returncode == 0 else ""

    def wait(self, ready: Callable[[], bool], name: str = "") -> None:
        """Wait until something is so, while the programme that was started last runs."""
        until = time.monotonic() + 60
        while not ready():
            if time.monotonic() > until or self._started[-1].poll() is not None:
                raise RuntimeError(f"waited in vain for {name or ready}: {self._said(name)}")
            time.sleep(0.1)

    def _write(self) -> None:
        for name in ("munge", "state", "spool", "bin"):
            (self.root / name).mkdir(parents=True)
        key = self.root / "munge" / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(1024))
        wrapper = self.root / "bin" / "srun"
        conf = self.environment["SLURM_CONF"]
        wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {shutil.which("srun")} "$@"\n')
        wrapper.chmod(0o755)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        common = {"host": HOST, "cpus": CPUS, "memory": memory - 512}
        nodes = [NODE.format(name=name, port=free_port(), **common) for name in self.nodes]
        known = {"host": HOST, "user": os.getuid(), "root": self.root, "controller": free_port()}
        known["silence"] = self.silence
        (self.root / "slurm.conf").write_text(CONF.format(**known) + "".join(nodes))
        gpus = [f"Name=gpu File=/dev/{name}\n" for name in ("null", "zero")]
        (self.root / "gres.conf").write_text("".join(gpus))

    def _start(self, *command: str) -> None:
        with (self.root / f"{command[0]}.out").open("wb") as out:
            self._started.append(
                subprocess.Popen(
                    command,
                    env=os.environ | self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                )
            )

    def _said(self, name: str) -> str:
        logs = [self.root / f"{name}.out", self.root / f"{name}.log"]
        return "\n".join(log.read_text()[-2000:] for log in logs if log.exists())


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
