"""What rules ask for is what their jobs were measured to need: by the tables of the released study,
and by a study of many more cells (`benchmarks/rules.py`).

A cluster kills a job that takes more than was asked for, and makes one wait that asks for too much.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from selfcell import specs
from selfcell.config import load_config
from selfcell.plan import n_weights
from selfcell.release import FREE_MB, FREE_MINUTES
from selfcell.study import Study
from tests.e2e.project import JOB, Project
from tests.house.test_rules import RULES, SCRIPTS
from tests.tree import REPO

RELEASED = REPO / "results" / "released"
FETCHING = {"download": 101.0, "reference": 98.0}
"""Rules that fetch, with the MB of the largest file: their time is the network's, and the study
found files cached."""
SNAKEMAKE_MB = 280  # of the two Snakemakes that a cluster starts around a job
ASKED = re.compile(
    r"(mem_mb|runtime)=grows\((\w+)(?:, ([0-9.]+|FIGURE_MB\[name\]))?(?:, PROCESSES)?"
    r"(?:, mb=(\w+))?\)"
)


def asked(
    rule: str, input_mb: float, study: str = "default", frozen_mb: float = 2600.0
) -> dict[str, float]:
    """Memory in MB and minutes that a rule asks for, by MB of a job's inputs: of a released study
    the most that a job of it asks for. frozen_mb: as the function in evaluate.smk, which gives
    1,100 where a network is not judged by integration."""
    million = n_weights(Study(load_config(RELEASED / study / "config.yaml"))) / 1e6
    constants = {
        "PRETRAIN_MINUTES": 5.0, "PRETRAIN_MB": 700 + int(245 * million), "frozen_mb": frozen_mb,
        "FIGURE_MB[name]": 20.0 if rule == "figure_confusion" else 77.0, "": 0.0,
    }  # fmt: skip
    sizes = {"converted_mb": 0.0}  # what these studies convert are members of archives

    def value(word: str) -> float:
        return constants[word] if word in constants else float(word)

    return {
        kind: int(value(base) + value(per_mb) * sizes.get(mb, input_mb))
        for kind, base, per_mb, mb in ASKED.findall(RULES[rule])
    }


def measured(study: str) -> pd.DataFrame:
    """By rule: the largest job's memory in MB, and the longest job's minutes or a bound on it."""
    jobs = pd.read_csv(RELEASED / study / "jobs.csv").set_index("rule")
    costs = pd.read_parquet(RELEASED / study / "costs.parquet").groupby("rule").wall_s.max()
    return jobs.assign(minutes=costs.combine_first(jobs.wall_s) / 60)


MEASURED, LARGEST = measured("default"), measured("blood")
NEWER = {"reconstruct"}  # rules that the largest study was run without
LARGE = pd.read_csv(REPO / "benchmarks" / "measured" / "rules.csv").set_index("rule")
COMPARED = sorted(set(RULES) & set(MEASURED.index))
ELSEWHERE = {"adopt", "align", "tune", "tuned"}  # rules that the default study has no job of


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_asks_for_more_when_it_is_tried_again(rule: str) -> None:
    assert {found[0] for found in ASKED.findall(RULES[rule])} == {"mem_mb", "runtime"}


def test_the_rules_that_take_long_were_measured() -> None:
    assert set(RULES) - set(COMPARED) == ELSEWHERE, "make release: new rules are not measured"


@pytest.mark.parametrize("rule", COMPARED)
def test_a_rule_asks_for_what_its_jobs_need(rule: str) -> None:
    fits(asked(rule, FETCHING.get(rule, MEASURED.input_mb[rule])), rule, MEASURED.loc[rule])


def test_the_largest_study_measured_all_rules_but_those_that_came_later() -> None:
    assert set(COMPARED) - set(LARGEST.index) == NEWER


@pytest.mark.parametrize("rule", sorted(set(COMPARED) - NEWER))
def test_a_rule_asks_for_what_its_jobs_need_in_the_largest_study(rule: str) -> None:
    """By memory; most of that study ran beside other work, which took its time."""
    largest = LARGEST.loc[rule]
    job = asked(rule, FETCHING.get(rule, largest.input_mb), "blood")
    fits(job, rule, largest.drop("minutes"))


@pytest.mark.parametrize("rule", sorted(set(MEASURED.index) - set(FETCHING)))
def test_no_job_took_more_than_it_asked_for_or_less_than_a_third(rule: str) -> None:
    """Of all jobs of the rule in the released study, by what each asked for then."""
    row = MEASURED.loc[rule]
    assert not row.mb_most > 1 and not row.minutes_most > 1
    assert not row.mb_least < 1 / 3 and not row.minutes_least < 1 / 3


@pytest.mark.slow
def test_jobs_of_the_default_study_ask_for_what_these_tests_read(checkout: Path) -> None:
    """By a dry run, in which inputs that are not made yet count nothing."""
    said = Project(checkout, "config.yaml").run("--dry-run").stdout
    for rule in sorted(set(RULES) & {name for name, _ in JOB.findall(said)} - set(FETCHING)):
        most = asked(rule, 0)
        for kind in ("mem_mb", "runtime"):
            found = [int(re.findall(rf"{kind}=(\d+)", job)[0]) for job in bodies(rule, said)]
            assert 0 <= max(found) - most[kind] < 20, (rule, kind)  # of the project's own files
            assert rule == "frozen" or min(found) >= most[kind], (rule, kind)


def test_a_resource_doubles_each_time() -> None:
    text = (REPO / "workflow/rules/common.smk").read_text(encoding="utf-8")
    (source,) = re.findall(r"def grows\(.*?return needed\n", text, re.DOTALL)
    made: dict[str, Any] = {"input_mb": sum}
    exec(source, made)
    needed = made["grows"](100, 2, 3)
    assert [needed({}, [5], attempt) for attempt in (1, 2, 3)] == [330, 660, 1320]
    by_wildcards = made["grows"](lambda wildcards: wildcards["mb"], 2, mb=lambda wildcards: 7)
    assert [by_wildcards({"mb": 50}, [5], attempt) for attempt in (1, 2)] == [64, 128]


@pytest.mark.parametrize("rule", sorted(LARGE.index))
def test_a_rule_asks_for_what_its_jobs_need_with_more_cells(rule: str) -> None:
    fits(asked(rule, LARGE.input_mb[rule], frozen_mb=1100), rule, LARGE.loc[rule])


def test_more_cells_were_measured() -> None:
    assert set(LARGE.index) >= {"qc", "vocabulary", "store", "pretrain", "frozen", "finetune"}
    for rule in ("qc", "store"):
        assert LARGE.input_mb[rule] > 3 * MEASURED.input_mb[rule]


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


def fits(job: dict[str, float], rule: str, needed: pd.Series) -> None:
    """A rule asks for as much as its largest job took, and for no more than thrice that."""
    assert needed.peak_mb + SNAKEMAKE_MB <= job["mem_mb"] <= max(FREE_MB, 3 * needed.peak_mb)
    if "minutes" not in needed:
        return
    assert needed.minutes <= job["runtime"]
    if rule not in FETCHING:
        assert job["runtime"] <= max(FREE_MINUTES, 3 * needed.minutes)
