"""The published runs: read with checks, and the effects that their own numbers give again."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from selfcell.claims import Claim, Printed, Runs, load
from selfcell.errors import DataError
from selfcell.stats import published
from selfcell.stats.published import TABLES, again, printed, rarity, read, welch
from tests.tree import REPO

FOLDER = REPO / published.FOLDER
CLAIMS = {claim.id: claim for claim in load(REPO / "resources" / "claims.yaml")}


def runs_of(claim: Claim) -> Runs:
    assert claim.runs is not None
    return claim.runs


@pytest.mark.parametrize("name", TABLES)
def test_every_table_reads_and_no_file_is_left_over(name: str) -> None:
    assert len(read(name, FOLDER)) > 10
    files = {path.name for path in FOLDER.glob("*.csv")}
    assert files == {published.file_of(each).name for each in TABLES}


def test_a_wrong_cell_is_named(tmp_path: Path) -> None:
    path = published.file_of("perclass_PBMC", tmp_path)
    shutil.copy(published.file_of("perclass_PBMC", FOLDER), path)
    path.write_text(path.read_text().replace("dendritic cell,5,", "dendritic cell,five,"))
    with pytest.raises(DataError, match=r"published_perclass_PBMC row \d+, column n_test: 'five'"):
        read("perclass_PBMC", tmp_path)
    path.write_text("cell_type\nB cell\n")
    with pytest.raises(DataError, match="columns missing"):
        read("perclass_PBMC", tmp_path)
    with pytest.raises(DataError, match=r"perclass_HLCA.csv.*; needed: a csv file"):
        read("perclass_HLCA", tmp_path)
    with pytest.raises(DataError, match="no published table 'runs'"):
        read("runs")


# Mean and standard deviation in the tables of means, and the run's column.
MEANS = {
    "classification": (["dataset", "group"], [("micro", "micro_sd", "micro_f1")]),
    "multiomics": (["agg", "group"], [("pearson", "psd", "pearson"), ("mse", "msd", "mse")]),
    "reconstruction": (["dataset", "group"], [("evw", "evw_sd", "ev_weighted")]),
}


@pytest.mark.parametrize("name", MEANS)
def test_tables_of_means_are_those_of_the_runs(name: str) -> None:
    keys, columns = MEANS[name]
    runs = read(f"{name}_runs", FOLDER)
    runs = runs[runs.get("in_paper_set", pd.Series(True, runs.index))]
    means = read(f"{name}_agg", FOLDER).set_index(keys)
    for mean, sd, value in columns:
        own = runs.groupby(keys)[value].agg(["size", "mean", "std"]).loc[means.index]
        assert (own["size"] == means["n"]).all()
        np.testing.assert_allclose(own["mean"], means[mean], rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(own["std"], means[sd], rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(
    ("claim", "effect", "low", "high"),
    [
        ("pbmc_gain", 0.043, 0.033, 0.054),
        ("tabula_sapiens_gain", 0.036, 0.020, 0.053),
        ("hlca_no_gain", 0.0005, -0.0033, 0.0043),
        ("same_data_no_gain", -0.0051, -0.0081, -0.0021),
        ("protein_gain", 0.0134, 0.0114, 0.0154),
        ("reconstruction_hlca", 0.0059, 0.0036, 0.0082),
    ],
)
def test_their_runs_again(claim: str, effect: float, low: float, high: float) -> None:
    found = again(runs_of(CLAIMS[claim]), FOLDER)
    digits = 3 if effect > 0.02 else 4
    got = [round(value, digits) for value in (found.estimate.mean, *found.estimate.interval())]
    assert got == [effect, low, high]
    assert found.collapsed == 0


@pytest.mark.parametrize("claim", [each for each in CLAIMS.values() if each.runs])
def test_what_is_printed_is_what_the_runs_give(claim: Claim) -> None:
    if claim.published is None:
        return  # a figure alone
    result = again(runs_of(claim), FOLDER).estimate
    # PBMC: the supervised mean was printed without the best of its five runs.
    near = 0.0025 if claim.id == "pbmc_gain" else 0.0002
    assert printed(claim.published).mean == pytest.approx(result.mean, abs=near)
    ends = np.subtract(printed(claim.published).interval(), result.interval())
    assert np.abs(ends).max() < 0.0045


def test_the_printed_mean_of_pbmc_lacks_its_best_run() -> None:
    rows = read("classification_runs", FOLDER)
    rows = rows[(rows.dataset == "PBMC") & (rows.group == "Supervised")]
    kept = rows.macro_f1.sort_values()[:-1]
    assert kept.mean() == pytest.approx(0.7013, abs=1e-4)
    assert kept.std(ddof=1) == pytest.approx(0.0077, abs=1e-4)


def test_collapsed_runs_stay_and_are_counted() -> None:
    found = again(runs_of(CLAIMS["unseen_data_gain"]), FOLDER)
    assert (found.estimate.n_seeds, found.estimate.n_draws, found.collapsed) == (5, 5, 2)
    assert found.estimate.mean == pytest.approx(0.117, abs=5e-4)
    assert found.estimate.interval()[0] < 0 < found.estimate.interval()[1]
    assert "2 of 5 of Supervised; without them +0.0211 [-0.0213, +0.0634]" in found.note
    assert "scored on some of the data sets alone (2)" in found.note
    diverged = again(runs_of(CLAIMS["reconstruction_tabula_sapiens"]), FOLDER)
    assert diverged.estimate.mean < -1e6 and diverged.collapsed == 1


def test_runs_that_no_figure_shows_are_told() -> None:
    note = again(runs_of(CLAIMS["tabula_sapiens_gain"]), FOLDER).note
    assert note == "with stored runs that the figures leave out (2) +0.0312 [+0.0156, +0.0469]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "macro"}, "has no column 'macro'"),
        ({"a": "SSL"}, r"column group: no rows of \['SSL'\]"),
        ({"where": {"dataset": ["PBMCs"]}}, r"column dataset: no rows of \['PBMCs'\]"),
    ],
)
def test_a_selector_of_nothing_is_refused(change: dict, message: str) -> None:
    runs = runs_of(CLAIMS["pbmc_gain"]).model_copy(update=change)
    with pytest.raises(DataError, match=message):
        again(runs, FOLDER)


def test_welch_is_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 2, 5), rng.normal(0, 1, 8)
    arms = [Printed(arm="x", mean=v.mean(), sd=v.std(ddof=1), n=len(v)) for v in (a, b)]
    test = stats.ttest_ind(a, b, equal_var=False)
    result = welch(*arms)
    assert result.interval() == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert result.p() == pytest.approx(test.pvalue)
    population = [
        arm.model_copy(update={"sd": v.std(ddof=0), "ddof": 0})
        for arm, v in zip(arms, (a, b), strict=True)
    ]
    assert welch(*population).interval() == pytest.approx(result.interval())


def test_a_single_run_is_given_the_other_arms_spread() -> None:
    five, one = Printed(arm="a", mean=2, sd=1, n=5), Printed(arm="b", mean=0)
    for result in (welch(five, one), welch(one, five)):
        half = stats.t.ppf(0.975, 4) * math.sqrt(1 + 1 / 5)
        assert np.diff(result.interval()) == pytest.approx(2 * half)
        assert "spread of the other" in result.note
    unknown = welch(one, one)
    assert math.isnan(unknown.variance) and unknown.note == "one number an arm: no spread"


@pytest.mark.parametrize("sizes", [(5, 5), (5, 1), (8, 7)])
def test_coverage_of_welch(sizes: tuple[int, int]) -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(1500):
        arms = []
        for n in sizes:
            values = rng.normal(size=n)
            sd = float(values.std(ddof=1)) if n > 1 else None
            arms.append(Printed(arm="x", mean=float(values.mean()), sd=sd, n=n))
        low, high = welch(*arms).interval()
        hits += low <= 0 <= high
    assert 0.935 <= hits / 1500 <= 0.975


@pytest.mark.parametrize("n", [7, 28, 52])
def test_coverage_of_the_rank_correlation(n: int) -> None:
    rng, hits, r = np.random.default_rng(5), 0, 0.4
    true = 6 / math.pi * math.asin(r / 2)  # Spearman's of a normal pair of correlation r
    for _ in range(800):
        x = rng.normal(size=n)
        y = r * x + math.sqrt(1 - r**2) * rng.normal(size=n)
        low, high = rarity(-x, y).interval()
        hits += math.tanh(low) <= true <= math.tanh(high)
    assert 0.92 <= hits / 800 <= 0.985


def test_rarity_is_positive_where_rare_types_gain() -> None:
    count, gain = np.array([1000, 500, 200, 50, 10]), np.array([0.0, 0.02, 0.01, 0.1, 0.2])
    result = rarity(count, gain)
    assert math.tanh(result.mean) == pytest.approx(stats.spearmanr(-count, gain).statistic)
    assert result.mean > 0 and result.n_draws == 5
    assert rarity(count, -np.sort(-gain)[::-1]).note == "ranks agree to the last one"
    assert rarity(count, np.zeros(5)).note == "every type is alike"
    with pytest.raises(DataError, match="3 cell types; needed: four"):
        rarity(count[:3], gain[:3])
