"""What rules ask for is what their jobs were measured to need: by the tables of the released study,
and by a study of many more cells (`benchmarks/rules.py`).

A cluster kills a job that takes more than was asked for, and makes one wait that asks for too much.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from selfcell import specs
from tests.e2e.project import JOB, Project
from tests.house.test_rules import RULES, SCRIPTS
from tests.tree import REPO

RELEASED = REPO / "results" / "released" / "default"
# MB of inputs of the largest job of a rule in that study, by `input_mb` of common.smk.
INPUTS = {
    "download": 101, "reference": 98, "qc": 34, "split": 26, "vocabulary": 49, "store": 26,
    "audit": 14, "pretrain": 10, "frozen": 38, "finetune": 28, "baseline": 14, "collect": 7,
    "contrasts": 60, "project": 56, "continued": 18, "protein": 18,
    "report": 14, "figure_arms": 5, "figure_confusion": 60, "figure_label_efficiency": 5,
    "figure_pretexts": 5, "figure_programmes": 5, "figure_protein": 5, "figure_reconstruction": 5,
    "figure_integration": 5, "figure_unseen": 5, "figure_sweeps": 7,
}  # fmt: skip
FETCHING = {"download", "reference"}  # their time is the network's; the study found files cached
SNAKEMAKE_MB = 280  # of the two Snakemakes that a cluster starts around a job
FREE_MB, FREE_MINUTES = 1000, 5  # so little may be asked for whatever it is for
ASKED = re.compile(
    r"(mem_mb|runtime)=grows\((\w+)(?:, ([0-9.]+))?(?:, PROCESSES)?(?:, mb=(\w+))?\)"
)


def asked(rule: str, input_mb: float) -> dict[str, float]:
    """Memory in MB and minutes that a rule asks for, by MB of a job's inputs."""
    constants = {"PRETRAIN_MINUTES": 5.0, "FROZEN_MB": 2200.0}  # of the default study
    sizes = {"converted_mb": 0.0}  # what these studies convert are members of archives
    return {
        kind: constants.get(base) or float(base) + float(per_mb or 0) * sizes.get(mb, input_mb)
        for kind, base, per_mb, mb in ASKED.findall(RULES[rule])
    }


def measured() -> pd.DataFrame:
    """By rule: the largest job's memory in MB, and the longest job's minutes or a bound on it."""
    jobs = pd.read_csv(RELEASED / "jobs.csv").set_index("rule")
    costs = pd.read_parquet(RELEASED / "costs.parquet").groupby("rule").wall_s.max()
    return jobs.assign(minutes=costs.combine_first(jobs.wall_s) / 60)


MEASURED = measured()
LARGE = pd.read_csv(REPO / "benchmarks" / "measured" / "rules.csv").set_index("rule")
COMPARED = sorted(set(RULES) & set(MEASURED.index))
ELSEWHERE = {"adopt", "align", "tune", "tuned"}  # rules that the default study has no job of


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_asks_for_more_when_it_is_tried_again(rule: str) -> None:
    assert {found[0] for found in ASKED.findall(RULES[rule])} == {"mem_mb", "runtime"}


def test_the_rules_that_take_long_were_measured() -> None:
    assert set(COMPARED) >= {*INPUTS, *FETCHING}
    assert set(RULES) - set(COMPARED) == ELSEWHERE, "make release: new rules are not measured"


@pytest.mark.parametrize("rule", COMPARED)
def test_a_rule_asks_for_what_its_jobs_need(rule: str) -> None:
    fits(rule, INPUTS.get(rule, 0), MEASURED.loc[rule])


@pytest.mark.parametrize("rule", sorted(LARGE.index))
def test_a_rule_asks_for_what_its_jobs_need_with_more_cells(rule: str) -> None:
    fits(rule, LARGE.input_mb[rule], LARGE.loc[rule])


def test_more_cells_were_measured() -> None:
    assert set(LARGE.index) >= {"qc", "vocabulary", "store", "pretrain", "frozen", "finetune"}
    assert LARGE.input_mb["qc"] > 3 * INPUTS["qc"] and LARGE.input_mb["store"] > 3 * INPUTS["store"]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_trains_asks_for_a_gpu_and_no_other_does(rule: str) -> None:
    """By what its jobs are told: where to train. A model that goes on learning knows it itself."""
    script = (REPO / SCRIPTS[rule]).read_text(encoding="utf-8")
    (named,) = re.findall(r"JSON of selfcell\.specs\.(\w+)", script) or ("Section",)
    trains = rule == "continued" or {"device", "training"} & set(getattr(specs, named).model_fields)
    assert bool(re.search(r"^        gpu=GPU\b", RULES[rule], re.MULTILINE)) == bool(trains)


def test_jobs_that_use_a_gpu_take_turns_unless_told_otherwise() -> None:
    profile = yaml.safe_load((REPO / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    assert profile["resources"] == {"gpu": 1}


@pytest.mark.slow
def test_processes_ask_for_a_core_and_a_gpu_each(checkout: Path, tmp_path: Path) -> None:
    config = tmp_path / "two.yaml"
    text = (REPO / "configs/smoke.yaml").read_text(encoding="utf-8")
    settings = "  batch: 64\n  processes: 2\n  device: cuda\n  seeds"
    config.write_text(text.replace("  batch: 64\n  seeds", settings), encoding="utf-8")
    given = ("--cores", "2", "--resources", "gpu=2", "--dry-run")
    said = Project(checkout, str(config)).run(*given).stdout
    (job, *_) = bodies("pretrain", said)
    assert "threads: 2" in job and "gpu=2" in job
    assert {"gpu=1" in job for job in bodies("finetune", said)} == {True}
    said = Project(checkout).run("--dry-run").stdout
    assert {"gpu=0" in job for job in bodies("pretrain", said)} == {True}


@pytest.mark.slow
def test_a_file_that_is_converted_asks_by_its_size(checkout: Path, tmp_path: Path) -> None:
    own, config = tmp_path / "cells.h5", tmp_path / "own.yaml"
    own.touch()
    os.truncate(own, 100_000_000)
    text = (REPO / "configs/own-data.yaml").read_text(encoding="utf-8")
    config.write_text(text.replace("my_cells.h5ad", str(own)), encoding="utf-8")
    said = Project(checkout, str(config)).run("--dry-run").stdout
    jobs = {re.findall(r"dataset=(\w+)", body)[0]: body for body in bodies("download", said)}
    assert "mem_mb=3200," in jobs["mine"] and "runtime=12," in jobs["mine"]
    assert "mem_mb=700," in jobs["kang"], "taken as it is, out of an archive"


def bodies(rule: str, said: str) -> list[str]:
    """What Snakemake says of each job of a rule."""
    return [body for name, body in JOB.findall(said) if name == rule]


def fits(rule: str, input_mb: float, needed: pd.Series) -> None:
    """A rule asks for as much as its largest job took, and for no more than thrice that."""
    job = asked(rule, input_mb)
    assert needed.peak_mb + SNAKEMAKE_MB <= job["mem_mb"] <= max(FREE_MB, 3 * needed.peak_mb)
    assert needed.minutes <= job["runtime"]
    if rule not in FETCHING:
        assert job["runtime"] <= max(FREE_MINUTES, 3 * needed.minutes)
