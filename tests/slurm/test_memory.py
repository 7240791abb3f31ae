"""A job that takes more memory than it asked for: Slurm kills it, it is tried again with more."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.e2e.project import Project
from tests.slurm.cluster import Cluster
from tests.slurm.watched import Run, running

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

SCORES = "results/smoke/runs/baseline/baron/scores.parquet"
OPTIONS = [
    # 350 MB are too few for a job that imports torch, beside the two Snakemakes around it.
    *(
        "--workflow-profile",
        "profiles/slurm",
        "--set-resources",
        "baseline:mem_mb=350*4**(attempt-1)",
    ),
    *("--default-resources", "slurm_partition=main", "slurm_account=anyone"),
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"),
    *("--", SCORES),
]


def out_of_memory(project: Project) -> tuple[Run, list[str]]:
    """The run that made the scores of the rivals, and Slurm's logs that the plugin keeps: those of
    attempts that failed."""
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        cluster = Cluster(Path(folder) / "one")
        try:
            cluster.up()
            with running(project, OPTIONS, cluster.environment) as run:
                run.finish()
        finally:
            cluster.down()
    logs = (project.root / ".snakemake/slurm_logs/rule_baseline").glob("*/*.log")
    return run, [log.read_text(encoding="utf-8") for log in sorted(logs, key=lambda p: int(p.stem))]


def test_a_job_out_of_memory_is_tried_again_with_more(smoke: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(smoke.root, project.root)
    shutil.rmtree(project.root / "results/smoke/runs/baseline")
    run, logs = out_of_memory(project)
    assert len(re.findall(r"SLURM jobid (\d+)", run.said)) == 2
    assert "Trying to restart job" in run.said
    assert len(logs) == 1 and "Exceeded job memory limit" in logs[0]
    assert (project.root / SCORES).read_bytes() == (smoke.root / SCORES).read_bytes()
