"""Four processes train one model: here, and two on each of two nodes of a Slurm, through accidents.

Of the two pre-training jobs on Slurm one is cancelled while it trains, which all its processes
survive together; of the other, one process is killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.e2e.project import SMOKE, Project
from tests.house.test_readme import commands
from tests.slurm.cluster import Cluster
from tests.slurm.test_slurm import Job
from tests.slurm.watched import Training, running
from tests.tree import REPO

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

MODELS = [f"results/smoke/models/baron_pool/{name}/s0" for name in ("random_mask", "simclr")]
CARDS = [f"{model}/card.json" for model in MODELS]
STEPS = 400  # so many that it still trains when the signals have come
FOUR = {
    "  batch: 64\n  seeds": "  batch: 64\n  processes: 4\n  seeds",
    "steps: 80": f"steps: {STEPS}",
}
# What docs/cluster.md types for several nodes, and what a cluster of this size can afford.
TYPED = [
    *("--workflow-profile", "profiles/slurm", "--cores", "2", "--set-threads", "pretrain=2"),
    *("--set-resources", "pretrain:nodes=2", "pretrain:tasks=2", "pretrain:mpi=srun"),
]
OPTIONS = [
    *(*TYPED, "pretrain:gpu=4", "pretrain:tasks_per_gpu=0"),
    *("--default-resources", "slurm_partition=main", "slurm_account=anyone"),
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"),
    *("--", *CARDS),
]


class Shared(Training):
    """A pre-training by several processes; the first is the one that is held."""

    total = STEPS
    rank = 0

    def processes(self) -> list[int]:
        """The process of that rank."""
        wanted = f"RANK={self.rank}".encode()
        return [
            process
            for process in super().processes()
            if wanted in Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
        ]


class SharedJob(Shared, Job):
    """The same as a job of Slurm."""


def shared(smoke: Project, root: Path) -> Project:
    """The smoke study in a folder of its own, without models; four processes train them."""
    shutil.copytree(smoke.root, root)
    config = root / SMOKE
    text = config.read_text(encoding="utf-8")
    for old, new in FOUR.items():
        assert old in text
        text = text.replace(old, new)
    config.write_text(text, encoding="utf-8")
    for folder in ("models", "logs/pretrain"):
        shutil.rmtree(root / "results" / "smoke" / folder)
    return Project(root)


@pytest.fixture(scope="module")
def here(smoke: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The models as four processes of this machine train them; one is killed on the way."""
    project = shared(smoke, tmp_path_factory.mktemp("here") / "checkout")
    with running(project, ["--cores", "2", "--", *CARDS], {}) as run:
        training = Shared(run, "simclr")
        training.rank = 1
        run.wait(lambda: 0 in training.steps() and bool(training.processes()))
        os.kill(training.processes()[0], signal.SIGKILL)
        run.finish()
        project.log = run.said
    return project


@pytest.fixture(scope="module")
def nodes(smoke: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """The same on a Slurm of two nodes, with the job that was cancelled."""
    project = shared(smoke, tmp_path_factory.mktemp("nodes") / "checkout")
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        cluster = Cluster(Path(folder) / "two", nodes=2)
        try:
            cluster.up()
            with running(project, OPTIONS, cluster.environment) as run:
                job = SharedJob(run, "random_mask", cluster)
                job.cancel()
                run.finish()
                yield job
        finally:
            cluster.down()


def test_a_killed_process_is_named_and_the_job_tried_again(here: Project) -> None:
    assert "error: process 1 of 4 was killed (SIGKILL)" in here.log
    assert "Trying to restart job" in here.log


def test_two_nodes_give_the_bits_of_one(nodes: Job, here: Project) -> None:
    for model in MODELS:
        roots = nodes.run.project.root / model, here.root / model
        made, wanted = (load_file(root / "weights.safetensors") for root in roots)
        assert set(made) == set(wanted)
        assert all(torch.equal(made[name], wanted[name]) for name in wanted)
        made, wanted = ((root / "history.parquet").read_bytes() for root in roots)
        assert made == wanted


def test_a_cancelled_job_of_two_nodes_goes_on_from_its_step(nodes: Job) -> None:
    first, second = nodes.attempts()
    assert "JobState=CANCELLED" in first and "JobState=COMPLETED" in second
    for asked in ("NumNodes=2", "NumTasks=2", "CPUs/Task=2", "gres:gpu:4"):
        assert asked in first, first
    assert 0 < nodes.held <= nodes.steps()[0] < STEPS


def test_the_page_says_what_is_run_here() -> None:
    page = (REPO / "docs/cluster.md").read_text(encoding="utf-8")
    assert ["snakemake", *TYPED] in commands(page)
