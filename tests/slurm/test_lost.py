"""What outlives a crash: jobs whose Snakemake was killed, and a job whose node died.

Both are lost while they train; docs/cluster.md says what to type, which is what is typed here.
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

from tests.e2e.project import Project
from tests.slurm.cluster import Cluster
from tests.slurm.test_slurm import Job
from tests.slurm.watched import running
from tests.tree import REPO

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

MODEL = "results/smoke/models/baron_pool/simclr"
WEIGHTS = f"{MODEL}/s0/weights.safetensors"
OPTIONS = [
    *("--workflow-profile", "profiles/slurm"),
    *("--default-resources", "slurm_partition=main", "slurm_account=anyone"),
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"),
    *("--", WEIGHTS),
]
QUEUE = ["squeue", "--me", "--noheader", "--format", "%i"]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A Slurm of two nodes that soon gives up one that is silent."""
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        cluster = Cluster(Path(folder) / "two", nodes=2, silence=10)
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.down()


@pytest.fixture
def project(smoke: Project, tmp_path: Path) -> Project:
    """The smoke study without one model."""
    shutil.copytree(smoke.root, tmp_path / "project")
    shutil.rmtree(tmp_path / "project" / MODEL)
    (tmp_path / "project/results/smoke/logs/pretrain/baron_pool.simclr.s0.log").unlink()
    return Project(tmp_path / "project")


def same_model(one: Project, other: Project) -> None:
    """Weights and curve agree to the bit; the order in the file of weights is left to chance."""
    made, wanted = (load_file(project.root / WEIGHTS) for project in (one, other))
    assert set(made) == set(wanted)
    assert all(torch.equal(made[name], wanted[name]) for name in wanted)
    history = f"{MODEL}/s0/history.parquet"
    assert (one.root / history).read_bytes() == (other.root / history).read_bytes()


def test_jobs_that_outlive_snakemake_are_cancelled_and_go_on(
    cluster: Cluster, project: Project, smoke: Project
) -> None:
    with running(project, OPTIONS, cluster.environment) as run:
        job = Job(run, "simclr", cluster)
        job.hold()
        os.kill(run.process.pid, signal.SIGKILL)
        run.process.wait()
    assert cluster.ask(*QUEUE).split() == job.ids(), "Slurm knows nothing of Snakemake's end"
    assert "--unlock" in project.run("--", WEIGHTS, fails=True).stdout
    (name,) = {line.split()[-1] for line in run.said.splitlines() if "SLURM run ID:" in line}
    cluster.ask("scancel", "--name", name)
    cluster.wait(lambda: not cluster.ask(*QUEUE))
    project.run("--unlock")
    with running(project, OPTIONS, cluster.environment) as run:
        run.finish()
    assert 0 < job.held <= job.steps()[0] < job.total
    same_model(project, smoke)


def test_a_job_of_a_dead_node_is_started_on_another(
    cluster: Cluster, project: Project, smoke: Project
) -> None:
    with running(project, OPTIONS, cluster.environment) as run:
        job = Job(run, "simclr", cluster)
        job.hold()
        (number,) = job.ids()
        cluster.lose(cluster.ask("squeue", "--noheader", "--format", "%N").strip())
        run.finish()
    assert job.ids() == [number] and "Trying to restart job" not in run.said
    (end,) = job.attempts()
    assert "JobState=COMPLETED" in end and "Restarts=1" in end
    same_model(project, smoke)


def test_the_page_says_what_is_typed_here() -> None:
    page = (REPO / "docs/cluster.md").read_text(encoding="utf-8")
    for typed in ("SLURM run ID", "scancel --name", "snakemake --unlock"):
        assert typed in page, typed
