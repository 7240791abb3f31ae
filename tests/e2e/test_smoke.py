"""The smoke study through the real workflow: run, again, changed, killed, reported."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from selfcell.config import load_config
from selfcell.figures import FIGURES
from selfcell.stats import table
from selfcell.study import Study
from tests.e2e.project import SMOKE, Project, environment, jobs
from tests.tree import REPO

pytestmark = pytest.mark.slow

SCORES = "results/smoke/scores.parquet"
# Unseen data need the labels of a second data set, which the smoke study does not fetch.
# It has no ready model either.
NOT_OF_THE_STUDY = {"figures", "tune", "tuned", "unseen", "adopt", "align"}
SEEDS = [f"corpus=baron_pool, method={{}}, seed={seed}" for seed in (0,)]
COMPARE = {"collect", "contrasts", "claims", "by_gene"}


def branch(method: str) -> set[str]:
    """Jobs of one method of the smoke study, and those that compare all methods."""
    starts = ["pretrain ", "frozen "]
    if method == "random_mask":
        starts += ["finetune target=baron, ", "protein protein=cite_200, "]
        starts += ["continued mixture=baron_donors, ", "reconstruct "]
    return {start + seed.format(method) for start in starts for seed in SEEDS} | COMPARE


def but_drawing(planned: set[str]) -> set[str]:
    """Jobs that do more than draw."""
    return {job for job in planned if not re.match("figure|project|report$|all$", job)}


def test_every_rule_was_run(smoke: Project) -> None:
    listed = smoke.run("--list-rules").stdout.split("\n")
    rules = {line.strip() for line in listed if re.fullmatch(r"\s*[a-z_]+\s*", line)}
    assert rules >= {"download", "pretrain", "contrasts", "figure_qc"}
    assert {job.split()[0] for job in jobs(smoke.log)} == rules - NOT_OF_THE_STUDY


def test_a_second_run_does_nothing(smoke: Project) -> None:
    done = smoke.run()
    assert "Nothing to be done" in done.stdout
    assert jobs(done.stdout) == set()


def test_scores_keep_their_contract(smoke: Project) -> None:
    scores = pd.read_parquet(io.BytesIO(smoke.result("scores.parquet")))
    table.validate(scores)
    config = yaml.safe_load((REPO / SMOKE).read_text(encoding="utf-8"))
    assert set(scores.study) == {"smoke"}
    methods = {entry["name"] for entry in config["methods"]}
    assert methods < set(scores.method[scores.init == "pretrained"]) | {"pca"}
    assert set(scores["mode"]) == {"frozen", "fine-tuned", "baseline"}
    assert set(scores.task) == {"annotate", "reconstruction", "protein", "integrate"}
    regimes = scores[scores.task == "annotate"].regime
    assert set(regimes) == {str(regime) for regime in config["labels"]["regimes"]}
    assert scores.n_test.max() <= 500


def test_another_folder_gives_the_same_bytes(smoke: Project, checkout: Path) -> None:
    again = Project(checkout)
    again.run(SCORES)
    assert again.result("scores.parquet") == smoke.result("scores.parquet")
    assert again.result("predictions.parquet") == smoke.result("predictions.parquet")


@pytest.mark.parametrize(
    ("changes", "method"),
    [
        ({"rate: 0.5": "rate: 0.4"}, "random_mask"),
        ({"name: simclr": "name: simclr\n    params: {temperature: 0.2}"}, "simclr"),
    ],
)
def test_a_hyper_parameter_reruns_its_branch(
    smoke: Project, changes: dict[str, str], method: str
) -> None:
    with smoke.edited(SMOKE, changes):
        planned = smoke.planned()
    assert but_drawing(planned) == branch(method)
    assert {"figure_contrasts", "figure_training"} < planned
    assert "figure_qc" not in planned


@pytest.mark.parametrize(
    ("file", "method", "also"),
    [
        # What a network from scratch is trained to reconstruct with is that loss too.
        (
            "losses/masked_mse.py",
            "random_mask",
            {"reconstruct corpus=none, method=scratch, seed=0"},
        ),
        ("methods/random_mask.py", "random_mask", set()),
        ("losses/ntxent.py", "simclr", set()),
    ],
)
def test_a_methods_code_reruns_its_branch(
    smoke: Project, file: str, method: str, also: set[str]
) -> None:
    with smoke.edited(f"src/selfcell/{file}"):
        planned = smoke.planned()
    assert but_drawing(planned) == branch(method) | also


def test_code_of_the_statistics_reruns_the_statistics(smoke: Project) -> None:
    with smoke.edited("src/selfcell/stats/equivalence.py"):
        planned = smoke.planned()
    assert but_drawing(planned) == {"contrasts", "claims"}
    assert "figure_contrasts" in planned
    assert not planned & {"figure_qc", "figure_training", "figure_embedding"}


@pytest.mark.parametrize("file", ["study.py", "methods/byol.py", "config.py"])
def test_code_that_no_job_imports_reruns_nothing(smoke: Project, file: str) -> None:
    with smoke.edited(f"src/selfcell/{file}"):
        assert smoke.planned() == set()


def test_the_report_of_the_workflow_holds_every_figure(smoke: Project) -> None:
    smoke.run("--report", "workflow-report.html")
    page = (smoke.root / "workflow-report.html").read_text(encoding="utf-8")
    for name in FIGURES:
        assert f"results/smoke/figures/{name}.png" in page
    assert page.count("data:image/png") >= len(FIGURES)


def test_make_study_prints_where_things_are_and_leaves_a_report_alone(smoke: Project) -> None:
    """`make study` on a finished study, in an environment that is in place: one report, once."""
    venv = smoke.root / ".venv"
    (venv / "bin").mkdir(parents=True)
    for name, module in (("python", ""), ("snakemake", "-m snakemake")):
        (venv / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        (venv / "bin" / name).chmod(0o755)
    (venv / "study").touch()
    report = smoke.root / "results/smoke/workflow-report.html"
    command, made = ["make", "study", f"CONFIG={SMOKE}", "CORES=2"], []
    for _ in range(2):
        done = subprocess.run(
            command, cwd=smoke.root, env=environment(smoke.root), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        for line in ("score table  results/smoke/scores.parquet", "report       results/smoke/rep"):
            assert line in done.stdout
        made.append(report.stat().st_mtime_ns)
    assert made[0] == made[1]
    assert "Nothing to be done" in done.stdout + done.stderr
    shutil.rmtree(venv)


def test_a_fresh_clone_plans_every_model(checkout: Path) -> None:
    models = Study(load_config(REPO / "config.yaml")).models()
    planned = Project(checkout, "config.yaml").planned()
    wanted = {f"pretrain corpus={m.corpus}, method={m.method}, seed={m.seed}" for m in models}
    assert {job for job in planned if job.startswith("pretrain")} == wanted
    assert "unseen afar=kang_to_pbmc3k" in planned


def test_a_deleted_result_is_made_again_where_it_is_wanted(smoke: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(smoke.root, project.root)
    store = "results/smoke/data/baron/store"
    shutil.rmtree(project.root / store)
    assert project.planned() == set(), "all that was made from it is there"
    assert {job.split()[0] for job in project.planned("--", store)} == {"store"}
    (project.root / SCORES).unlink()
    assert "collect" in project.planned("--", SCORES)
    project.run("--", SCORES)
    assert project.result("scores.parquet") == smoke.result("scores.parquet")
    whole, of_run = "results/smoke/predictions.parquet", "results/smoke/runs/baseline/baron/"
    (project.root / whole).unlink()
    (project.root / of_run / "predictions.parquet").unlink()
    said = project.run(fails=True).stdout
    remedy = f"snakemake --cores all -- {of_run}predictions.parquet"
    assert f"there is no {of_run}predictions.parquet" in said and remedy in said
    project.run("--", f"{of_run}predictions.parquet")
    project.run()
    assert project.result("predictions.parquet") == smoke.result("predictions.parquet")
    assert project.planned() == set()


def test_killed_in_training_it_goes_on_to_the_same_scores(smoke: Project, checkout: Path) -> None:
    project = Project(checkout)
    kill_in_training(project)
    assert not list(checkout.glob("results/smoke/models/*/*/*/model.json"))
    refused = project.run(SCORES, fails=True).stdout
    assert "--unlock" in refused
    project.run("--unlock")
    project.run(SCORES)
    assert project.result("scores.parquet") == smoke.result("scores.parquet")


def kill_in_training(project: Project) -> None:
    """Start the study and kill it, Snakemake and all its jobs at once, when a method trains."""
    logs = project.root / "results" / "smoke" / "logs" / "pretrain"
    until = time.monotonic() + 900
    with subprocess.Popen(
        project.command(SCORES),
        cwd=project.root,
        env=environment(project.root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while not any("0/80" in log.read_text() for log in logs.glob("*.log")):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
