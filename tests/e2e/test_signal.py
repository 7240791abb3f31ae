"""A batch system's SIGTERM, which reaches all processes of a job, one sooner than another."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.project import Project
from tests.slurm.watched import Training, running

pytestmark = pytest.mark.slow

MODEL = "results/smoke/models/baron_pool/simclr"


def around(process: int, log: Path) -> list[int]:
    """The shell that started a process, and who writes its log."""
    (shell,) = (
        int(line.split()[1])
        for line in Path(f"/proc/{process}/status").read_text().splitlines()
        if line.startswith("PPid:")
    )
    writers = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            held = [file.readlink() for file in (folder / "fd").iterdir()]
        except OSError:
            continue  # ended meanwhile, or somebody else's
        writers += [int(folder.name)] * (log in held)
    assert writers
    return [shell, *writers]


def test_training_is_continued_whoever_hears_the_signal_first(
    smoke: Project, tmp_path: Path
) -> None:
    project = Project(shutil.copytree(smoke.root, tmp_path / "project"))
    shutil.rmtree(project.root / MODEL)
    (project.root / "results/smoke/logs/pretrain/baron_pool.simclr.s0.log").unlink()
    with running(project, ["--cores", "1", "--", f"{MODEL}/s0/weights.safetensors"]) as run:
        job = Training(run, "simclr")
        process = job.hold()
        for other in around(process, job.log):
            os.kill(other, signal.SIGTERM)
        time.sleep(1.2)  # the bar is drawn once a second, after the signal too
        assert job.processes() == [process], "no second attempt beside the first"
        job.inch(process, lambda: len(job.steps()) > 2)
        reached = job.steps()[2]
        os.kill(process, signal.SIGTERM)
        os.kill(process, signal.SIGCONT)
        run.finish()
    assert "Trying to restart job" in run.said
    assert job.held < reached <= job.steps()[0] < job.total
