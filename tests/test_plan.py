"""What a study is said to take is what the released one took, scaled."""

from __future__ import annotations

import contextlib
import json
import re
import resource
from pathlib import Path

import pandas as pd
import pytest

from selfcell import cli, extras, plan
from selfcell.cli.plan import MEASURE
from selfcell.config import load_config
from selfcell.errors import DataError
from selfcell.study import Study
from tests.e2e.project import Project
from tests.house.test_configs import CONFIGS
from tests.house.test_rules import RULES
from tests.tree import REPO

PAPER = "configs/paper.yaml"


def study(name: str) -> Study:
    """The study of a configuration."""
    return Study(load_config(REPO / name))


def test_a_job_of_the_released_study_takes_what_it_took() -> None:
    released = plan.RELEASED
    found = plan.shares(study(str((released / "config.yaml").relative_to(REPO))))
    jobs = pd.read_csv(released / "jobs.csv").set_index("rule")
    for rule in set(found) - {"figure"}:
        assert found[rule].memory_mb == jobs.peak_mb[rule]
        seconds = found[rule].hours / found[rule].jobs * 3600
        assert seconds == pytest.approx(jobs.wall_s[rule] / jobs.jobs[rule])
    assert found["pretrain"].jobs == jobs.jobs["pretrain"]


def test_more_steps_take_as_much_longer() -> None:
    one = study("config.yaml")
    longer = one.config.model_copy(
        update={"pretraining": one.config.pretraining.model_copy(update={"steps": 4000})}
    )
    before, after = plan.shares(one), plan.shares(Study(longer))
    ratio = 4000 / one.config.pretraining.steps
    assert after["pretrain"].hours == pytest.approx(before["pretrain"].hours * ratio)
    assert after["frozen"] == before["frozen"]


def test_wider_networks_and_larger_batches_take_as_much_longer() -> None:
    one = study("config.yaml")
    hidden = [2 * width for width in one.config.network.hidden]
    genes = one.config.vocabulary.model_copy(update={"corpus_genes": 20_000})
    tuning = one.config.fine_tuning.model_copy(update={"batch": 8 * one.config.fine_tuning.batch})
    before = plan.shares(one)
    for update, rule, least in (
        ({"network": one.config.network.model_copy(update={"hidden": hidden})}, "pretrain", 2),
        ({"vocabulary": genes}, "pretrain", 3),
        ({"vocabulary": genes}, "finetune", 3),
        ({"fine_tuning": tuning}, "finetune", 8),
    ):
        after = plan.shares(Study(one.config.model_copy(update=update)))
        assert after[rule].hours >= 0.99 * least * before[rule].hours


def test_workers_shorten_it_down_to_one_job_after_another() -> None:
    found = plan.shares(study("configs/blood.yaml"))
    hours = [plan.wall_hours(found, workers) for workers in (1, 2, 8, 10_000)]
    assert hours == sorted(hours, reverse=True) and len(set(hours)) == 4
    assert hours[0] == pytest.approx(sum(share.hours for share in found.values()))
    assert hours[-1] > max(share.hours / share.jobs for share in found.values())


@pytest.mark.parametrize(
    "path", [path for path in CONFIGS if path.name != "own-data.yaml"], ids=str
)
def test_every_rule_of_a_study_is_planned(path: Path) -> None:
    one = study(str(path))
    planned = plan.work(one)
    rules = {"figure" if name.startswith("figure_") else name for name in RULES}
    assert set(planned) == rules - {"tune", "tuned"} == {rule for s in plan.STAGES for rule in s}
    assert planned["pretrain"].jobs == len(one.models())


def test_sources_are_looked_for_in_cache_and_mirrors(tmp_path: Path) -> None:
    one = study("configs/blood.yaml")
    wanted = plan.missing(one, tmp_path, ())
    assert {"roma", "pbmc1k"} <= {source.artefact.name for source in wanted}
    source = next(source for source in wanted if source.artefact.name == "pbmc1k")
    (tmp_path / source.artefact.file).touch()
    left = plan.missing(one, tmp_path, ("https://mirror.example", str(tmp_path)))
    assert source not in left and len(left) < len(wanted)


def test_without_a_released_study_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needed: a released study"):
        plan.shares(study("config.yaml"), tmp_path)


def test_more_data_take_longer_and_more_disk() -> None:
    small, large = study("config.yaml"), study(PAPER)
    times = plan.size_mb(large) / plan.size_mb(small)
    assert 500 < times < 5000
    before, after = plan.shares(small)["qc"], plan.shares(large)["qc"]
    assert after.hours / after.jobs == pytest.approx(before.hours / before.jobs * times)
    assert plan.disk_gb(large) > 3 * 0.99 * plan.size_mb(large) / 1000


@pytest.mark.parametrize("name", ["default", "blood"])
def test_disk_is_what_released_studies_took(name: str) -> None:
    """And a tenth above at most; less is what fills a disk."""
    folder = plan.RELEASED.parent / name
    took = json.loads((folder / "manifest.json").read_text())["results_mb"] / 1000
    assert took <= plan.disk_gb(study(str(folder / "config.yaml"))) <= 1.1 * took
    assert plan.disk_gb(study("configs/smoke.yaml")) < took / 10


def test_pre_training_on_gpus_takes_what_their_rate_says() -> None:
    one = study(PAPER)
    found = plan.shares(one)
    on_gpus = plan.on_gpus(found, one, 1e6)
    training = one.config.pretraining
    seconds = len(one.models()) * training.steps * training.batch / 1e6
    assert on_gpus["pretrain"].hours == pytest.approx(seconds / 3600)
    assert {rule: share for rule, share in on_gpus.items() if rule != "pretrain"} == {
        rule: share for rule, share in found.items() if rule != "pretrain"
    }


def told(capsys: pytest.CaptureFixture, *options: str) -> str:
    """What the command prints of the smoke study."""
    with contextlib.suppress(SystemExit):
        cli.main(["plan", str(REPO / "configs/smoke.yaml"), "--offline", *options])
    return capsys.readouterr().out


def test_the_command_prints_it(capsys: pytest.CaptureFixture) -> None:
    said = told(capsys)
    for part in ("pretrain         2", "on 2 workers", "GB; free", "to fetch"):
        assert part in said


def test_hours_on_gpus_are_not_guessed(capsys: pytest.CaptureFixture) -> None:
    page = told(capsys)
    assert "no GPU's rate was measured" in page and MEASURE in page
    assert json.loads(told(capsys, "--json"))["gpu_hours"] is None
    page = told(capsys, "--gpu-rate", "1")
    assert f"{2 * 80 * 64 / 3600:.1f} GPU hours" in page and MEASURE not in page
    assert MEASURE in (REPO / "docs/performance.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("config", "bound", "rule"),
    [
        ("results/released/default/config.yaml", "most", ""),
        ("configs/smoke.yaml", "most", ""),
        ("configs/blood.yaml", "least", "contrasts"),
        (PAPER, "least", "pretrain"),
    ],
)
def test_memory_is_a_bound_from_below_where_a_job_has_more_to_do(
    config: str, bound: str, rule: str, capsys: pytest.CaptureFixture
) -> None:
    with contextlib.suppress(SystemExit):
        cli.main(["plan", str(REPO / config), "--offline"])
    said = capsys.readouterr().out
    assert f"GB of memory at {bound}" in said
    larger = re.search(r"^times as much .*: (.*); their memory", said, re.MULTILINE)
    assert rule in larger[1] if larger else not rule, said


@pytest.mark.parametrize(
    ("section", "update", "rules"),
    [
        ("integration", {"max_cells": 30_000}, {"integrate", "continued"}),
        ("integration", {"steps": 500}, {"continued"}),
        ("unseen", {"max_cells": 20_000}, {"unseen"}),
        ("labels", {"draws": 100}, {"frozen", "baseline", "collect", "contrasts", "report"}),
    ],
)
def test_tasks_take_longer_by_cells_steps_and_draws(
    section: str, update: dict, rules: set[str]
) -> None:
    one = study("config.yaml")
    asked = getattr(one.config, section).model_copy(update=update)
    more = Study(one.config.model_copy(update={section: asked}))
    before, after = plan.shares(one), plan.shares(more)
    longer = {rule for rule in after if after[rule].hours > 1.5 * before[rule].hours}
    assert longer == rules


@pytest.mark.parametrize(
    "change",
    [
        {"gene_sets": [{"name": "mine", "path": "nowhere.gmt"}]},
        {"lineage": {"ontology": "nowhere.gmt"}},
        {"lineage": {"labels": "nowhere.gmt"}},
    ],
    ids=["gene sets", "ontology", "labels"],
)
def test_own_files_of_every_kind_are_missed(change: dict) -> None:
    one = study("config.yaml").config
    raw = {**one.model_dump(mode="json"), **change}
    assert plan.absent(Study(type(one).model_validate(raw))) == ["nowhere.gmt"]


def test_a_study_whose_files_are_missing_cannot_run(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["plan", str(REPO / PAPER), "--gpu-rate", "1e5", "--json", "--offline"])
    out, err = capsys.readouterr()
    assert end.value.code == 2 and "5 own files are not there: data/" in err
    assert json.loads(out)["gpu_hours"] > 100


def test_a_library_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = extras.find_spec

    def find(name: str) -> object:
        return None if name in {"tiledbsoma", "scvi"} else there(name)

    monkeypatch.setattr(extras, "find_spec", find)
    with pytest.raises(SystemExit) as end:
        cli.main(["plan", str(REPO / PAPER), "--offline"])
    out, err = capsys.readouterr()
    assert end.value.code == 2
    assert "tiledbsoma: not installed; needed: the extras census" in err
    assert "left out: scvi, for scvi is not installed (extra `scvi`)" in out
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert extras.lacking(plan.libraries(study(PAPER))) == {
        "tiledbsoma": "census", "scib_metrics": "integration", "harmonypy": "integration",
        "scvi": "scvi",
    }  # fmt: skip


@pytest.mark.slow
def test_the_published_study_is_planned_by_snakemake_in_a_minute(checkout: Path) -> None:
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = Project(checkout, PAPER).run("--dry-run", "--quiet", "rules").stdout
    done = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = done.ru_utime + done.ru_stime - begun.ru_utime - begun.ru_stime
    assert seconds < 30, "of processor time; a machine that does nothing else takes as long"
    models = len(study(PAPER).models())
    assert models > 200 and re.search(rf"^pretrain +{models}$", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("results_gb", "cache_gb", "said"),
    [(100.0, 0.1, "cache has 0.1 GB of free space; needed: 0.4 GB"),
     (0.1, 100.0, "results has 0.1 GB of free space"), (100.0, 100.0, "")],
)  # fmt: skip
def test_room_is_looked_for_where_results_and_downloads_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    results_gb: float, cache_gb: float, said: str,
) -> None:  # fmt: skip
    free = {"results": results_gb, "cache": cache_gb}
    monkeypatch.setattr(plan, "free_gb", lambda folder: free[folder.name])
    monkeypatch.setattr(plan, "on_one_disk", lambda *_: False)
    monkeypatch.delenv("SELFCELL_MIRRORS", raising=False)
    places = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    with pytest.raises(SystemExit) if said else contextlib.nullcontext():
        cli.main(["plan", str(REPO / "config.yaml"), "--offline", *places])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("shared", [False, True])
def test_downloads_onto_the_disk_of_the_results_need_room_beside_them(
    shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for the results and for half of the downloads is enough on disks of their own."""
    monkeypatch.delenv("SELFCELL_MIRRORS", raising=False)
    facts = plan.reckon(study("config.yaml"), tmp_path, str(tmp_path / "cache"))
    assert facts["cache_gb"] == pytest.approx(
        plan.UNPACKED * sum(facts["to_fetch_mb"].values()) / 1000
    )
    free = facts["disk_gb"] + facts["cache_gb"] / 2
    monkeypatch.setattr(plan, "free_gb", lambda _: free)
    monkeypatch.setattr(plan, "on_one_disk", lambda *_: shared)
    places = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    with pytest.raises(SystemExit) if shared else contextlib.nullcontext():
        cli.main(["plan", str(REPO / "config.yaml"), "--offline", *places])


def test_folders_that_are_not_there_yet_are_on_the_disk_of_those_above(tmp_path: Path) -> None:
    assert plan.on_one_disk(tmp_path / "results" / "new", tmp_path)
    assert not plan.on_one_disk(tmp_path, Path("/proc/self/none"))
