"""Run folders to study tables."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import score_factory as factory

from selfcell.errors import DataError
from selfcell.stats import collect, table
from selfcell.stats.predictions import COSTS, PREDICTIONS, read_truth


def card(rule: str, run_hash: str, spec: dict) -> dict:
    return {
        "rule": rule, "run_hash": run_hash, "spec": {"study": "made", **spec}, "config_hash": "c",
        "inputs": {}, "code": "d", "git": "e", "seeds": {}, "versions": {"numpy": "2"},
        "hardware": {"cores": 2},
        "cost": {"wall_s": 1.5, "cpu_s": 2.5, "gpu_s": 1.5, "peak_mb": 300.0},
    }  # fmt: skip


def runs(folder: Path) -> tuple[factory.Made, Path]:
    made = factory.study(pretexts=("random_mask",), seeds=2, draws=2, scale=0.1)
    half = made.scores.method == "random_mask"
    other = made.predictions.method == "random_mask"
    for name, rows, codes, spec in (
        ("a", made.scores[half], made.predictions[other], {"method": "random_mask", "seed": 1}),
        ("b", made.scores[~half], made.predictions[~other], {"target": "pbmc3k"}),
    ):
        (folder / name).mkdir()
        table.write(rows, folder / name / "scores.parquet")
        PREDICTIONS.write(codes, folder / name / "predictions.parquet")
        (folder / name / "card.json").write_text(json.dumps(card("frozen", name, spec)))
    (folder / "m").mkdir()
    spec = {"corpus": {"name": "kang_ctrl"}, "method": "random_mask", "seed": 0}
    (folder / "m" / "card.json").write_text(json.dumps(card("pretrain", "m", spec)))
    listing = folder / "runs.txt"
    listing.write_text("".join(f"{folder / name}\n" for name in "ba"))
    return made, listing


def test_everything_is_gathered(tmp_path: Path) -> None:
    made, listing = runs(tmp_path)
    folders = collect.read_folders(listing)
    scores = collect.scores(folders)
    assert len(scores) == len(made.scores)
    ordered = made.scores.sort_values(list(table.SCORES.key)).reset_index(drop=True)
    pd.testing.assert_frame_equal(scores, ordered)
    assert len(collect.predictions(folders)) == len(made.predictions)
    cards = collect.cards([tmp_path / "m", *folders])
    costs = collect.costs(cards)
    assert list(costs.rule) == ["pretrain", "frozen", "frozen"]
    assert costs.corpus[0] == "kang_ctrl" and costs.cpu_s[0] == 2.5 and costs.gpu_s[0] == 1.5
    shared = collect.provenance(cards)
    assert shared["versions"] == [{"numpy": "2"}] and set(shared["runs"]) == {"a", "b", "m"}


def test_costs_of_before_gpus_were_counted_are_read(tmp_path: Path) -> None:
    costs = factory.study(pretexts=("random_mask",), seeds=1, draws=1, scale=0.1).costs
    costs.drop(columns="gpu_s").to_parquet(tmp_path / "costs.parquet")
    read = COSTS.read(tmp_path / "costs.parquet")
    assert list(read.columns) == COSTS.names and (read.gpu_s == 0.0).all()
    costs.drop(columns="cpu_s").to_parquet(tmp_path / "costs.parquet")
    with pytest.raises(DataError, match="cpu_s"):
        COSTS.read(tmp_path / "costs.parquet")


@pytest.mark.parametrize("name", ["scores", "predictions"])
def test_a_run_without_one_of_its_tables_is_not_passed_over(tmp_path: Path, name: str) -> None:
    _, listing = runs(tmp_path)
    lost = tmp_path / "b" / f"{name}.parquet"
    lost.unlink()
    with pytest.raises(DataError, match=f"no {lost}; .*remedy: snakemake --cores all -- {lost}"):
        getattr(collect, name)(collect.read_folders(listing))


def test_missing_runs_are_errors(tmp_path: Path) -> None:
    _, listing = runs(tmp_path)
    (tmp_path / "a" / "card.json").unlink()
    with pytest.raises(DataError, match="holds no card"):
        collect.cards(collect.read_folders(listing))
    listing.write_text(f"{tmp_path / 'nowhere'}\n")
    with pytest.raises(DataError, match="nowhere does not exist"):
        collect.read_folders(listing)


def test_split_files_are_read(tmp_path: Path) -> None:
    made = factory.study(pretexts=("random_mask",), seeds=1, draws=1, scale=0.1)
    (path,) = made.save(tmp_path)
    truth = read_truth(path)
    assert truth.donors == ["pbmc3k"] and truth.pool[0] == made.truths["pbmc3k"].pool[0]
    assert (truth.code_N == made.truths["pbmc3k"].code_N).all()
    split = json.loads(path.read_text())
    split["test_labels"][3] = "Mk"
    path.write_text(json.dumps(split))
    with pytest.raises(DataError, match="Mk"):
        read_truth(path)
