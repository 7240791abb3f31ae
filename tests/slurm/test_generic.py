"""The profile for other batch systems: a job's process is killed, and the bytes are the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.project import Project
from tests.slurm.watched import Training, running
from tests.tree import REPO

PROFILE = REPO / "profiles" / "cluster-generic"
SCORES = "results/smoke/scores.parquet"
WEIGHTS = "results/smoke/models/baron_pool/simclr/s0/weights.safetensors"


def ask(folder: Path, script: str, *words: str) -> str:
    """What a script of the profile prints, in a folder of a study."""
    command = [str(PROFILE / f"{script}.sh"), *words]
    return subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def outcome(folder: Path, job: str, minutes: str = "1", cancelled: bool = False) -> str:
    """How a job ends whose script is these lines; it has run before."""
    (folder / "job.sh").write_text(f"#!/bin/sh\n{job}\n")
    (folder / "job.sh").chmod(0o755)
    name = ask(folder, "submit", "1", "500", minutes, "./job.sh")
    if cancelled:
        assert ask(folder, "status", name) == "running"
        ask(folder, "cancel", name)
    until = time.monotonic() + 20
    while (state := ask(folder, "status", name)) == "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    return state


def test_a_job_succeeds_fails_and_is_cancelled(tmp_path: Path) -> None:
    assert outcome(tmp_path, "exit 0") == "success"
    assert outcome(tmp_path, "exit 3") == "failed"
    assert outcome(tmp_path, "sleep 60; touch late", cancelled=True) == "failed"
    assert outcome(tmp_path, "sleep 60; touch late", minutes="0.01") == "failed"
    assert not (tmp_path / "late").exists()


def test_an_earlier_job_of_the_same_process_number_is_another(tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text("#!/bin/sh\nsleep 60\n")
    (tmp_path / "job.sh").chmod(0o755)
    name = ask(tmp_path, "submit", "1", "500", "1", "./job.sh")
    exits = tmp_path / ".snakemake/cluster-generic"
    for earlier in (name.split(".")[0], name.split(".")[0] + ".1"):
        (exits / f"{earlier}.exit").write_text("0")
    assert ask(tmp_path, "status", name) == "running"
    ask(tmp_path, "cancel", name)


@pytest.fixture
def untrained(smoke: Project, tmp_path: Path) -> Project:
    """The smoke study without one model, and without what was made of it."""
    project = Project(tmp_path / "project")
    shutil.copytree(smoke.root, project.root)
    for folder in ("models", "runs/frozen"):
        shutil.rmtree(project.root / "results/smoke" / folder / "baron_pool/simclr")
    (project.root / SCORES).unlink()
    (project.root / "results/smoke/logs/pretrain/baron_pool.simclr.s0.log").unlink()
    return project


@pytest.mark.slow
def test_a_killed_process_is_tried_again(smoke: Project, untrained: Project) -> None:
    options = ["--workflow-profile", "profiles/cluster-generic", "--", SCORES]
    with running(untrained, options) as run:
        os.kill(Training(run, "simclr").hold(), signal.SIGKILL)
        run.finish()
    assert run.said.count("Trying to restart job") == 1
    for name in ("scores.parquet", "predictions.parquet"):
        assert untrained.result(name) == smoke.result(name)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["default", "cluster-generic"])
def test_training_that_always_fails_is_tried_three_times(untrained: Project, profile: str) -> None:
    script = untrained.root / "workflow/scripts/pretrain.py"
    script.write_text("open('tried', 'a').write('once ')\nraise SystemExit('no')\n")
    options = ["--workflow-profile", f"profiles/{profile}", "--", WEIGHTS]
    said = untrained.run(*options, fails=True).stdout
    assert (untrained.root / "tried").read_text() == 3 * "once "
    assert said.count("Trying to restart job") == 2
