"""Numbers of the other figures, computed a second time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import score_factory as factory
from matplotlib.text import Text

from selfcell import figures
from selfcell.figures import (
    arms,
    collapse,
    confusion,
    contrasts,
    cost,
    dots,
    gain_map,
    label_efficiency,
    pretexts,
    programmes,
    protein,
    reconstruction,
    sweeps,
)
from selfcell.stats import table
from selfcell.stats.contrasts import CONTRASTS
from selfcell.stats.roles import PART
from selfcell.stats.table import overall
from tests.figures.golden import numbers
from tests.figures.made import (
    CELLS,
    ENTRIES,
    SMALL,
    compared,
    health,
    made_study,
    made_table,
    other_tasks,
    swept,
)

PLACE = (("pbmc3k",), SMALL)


@pytest.fixture(scope="module")
def made() -> factory.Made:
    return made_study(*PLACE)


def runs(scores: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    """Overall macro-F1 of an arm by regime, seed and draw."""
    rows = overall(scores, "macro_f1")
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return rows.set_index(["regime", "seed", "draw"]).value


def test_map_cells_are_contrasts_of_single_regimes(tmp_path: Path) -> None:
    frame = made_table("gain_map", "small")
    row = frame[(frame.comparison == "MAE probe - best PCA probe") & (frame.regime == "30")].iloc[0]
    whole = compared(*PLACE)
    same = whole[(whole.name == "MAE probe - best PCA probe at 30")].iloc[0]
    assert (row.difference, row.verdict) == (same.difference, same.verdict)
    assert set(frame.regime) == {"3", "10", "30", "all"}
    assert not frame.corpus.str.contains("shuffled").any()
    CONTRASTS.write(whole, tmp_path / "contrasts.parquet")
    model = {"corpus": {"name": "kang_ctrl", "n_train": CELLS["kang_ctrl"]}}
    (tmp_path / "model.json").write_text(json.dumps(model))
    read = gain_map.table([tmp_path / "contrasts.parquet", tmp_path / "model.json"])
    pd.testing.assert_frame_equal(read, frame)


def test_each_permutation_is_paired_with_programme_masking(made: factory.Made) -> None:
    frame = made_table("programmes", "small")
    how = {"mode": "frozen", "readout": "probe", "corpus": "kang_ctrl"}
    a = runs(made.scores, method="gene_programme", **how)
    b = runs(made.scores, method="gene_programme_permuted_1", **how)
    row = frame[frame.against == "permutation 1"].iloc[0]
    assert row.difference == pytest.approx((a - b).mean())
    assert (row.n_seeds, row.n_draws, row.n_failed, row.verdict) == (2, 2, 0, "")
    failed = made.scores.copy()
    bad = failed.method == "gene_programme_permuted_1"
    failed.loc[bad, "status"] = "not_learned"
    row = programmes.summary(overall(failed, "macro_f1"), compared(*PLACE)).iloc[-1]
    assert np.isnan(row.difference) and row.n_failed == len(b)


def test_cost_is_the_median_of_the_seeds(made: factory.Made) -> None:
    costs = made.costs.copy()
    costs.loc[(costs.method == "byol") & (costs.seed == 1), "cpu_s"] = 90.0
    frame = cost.summary(compared(*PLACE), costs).set_index("method")
    assert tuple(frame.loc["byol", ["cpu_s", "cpu_low", "cpu_high", "n_runs"]]) == (60, 30, 90, 2)
    whole = compared(*PLACE)
    whole = whole[whole.corpus == "kang_ctrl"].set_index("name").difference
    assert frame.difference["byol"] == whole["byol probe - best PCA probe"]
    assert frame.difference["random_mask"] == whole["MAE probe - best PCA probe"]


def test_every_run_of_an_arm_is_drawn_once(made: factory.Made) -> None:
    frame = arms.summary(other_tasks(made.scores), {})
    counts = frame[frame.metric == "macro_f1"].arm.value_counts()
    assert dict(counts) == {
        "random encoder, frozen": 4, "PCA of the pool": 2, "masked autoencoder, frozen": 4,
        "programme masking, frozen": 4, "from scratch": 6, "masked autoencoder, fine-tuned": 6,
    }  # fmt: skip
    own = runs(made.scores, method="pca", corpus="own_pool", readout="probe")
    part = frame[(frame.arm == "PCA of the pool") & (frame.metric == "macro_f1")]
    assert sorted(part.value) == sorted(own["10"])


def test_confusion_is_counted_the_plain_way(made: factory.Made) -> None:
    f1 = overall(made.scores, "macro_f1")
    frame = confusion.summary(made.predictions, f1, made.truths)
    assert set(frame.regime) == {"all"} and set(frame.n_runs) == {2}
    sums = frame.groupby(["arm", "true"]).share.sum()
    np.testing.assert_allclose(sums, 1.0)
    truth = made.truths["pbmc3k"]
    b, nk = truth.classes.index("B"), truth.classes.index("NK")
    own = made.predictions
    own = own[(own.method == "scratch") & (own.regime == "all") & (own.readout == "head")]
    found = [np.mean(np.asarray(codes)[truth.code_N == b] == nk) for codes in own.predicted]
    row = frame[(frame.arm == confusion.SCRATCH) & (frame.true == "B") & (frame.predicted == "NK")]
    assert row.share.item() == pytest.approx(np.mean(found))
    lost = f1.assign(status=np.where((f1.method == "scratch") & (f1.seed == 1), "collapsed", "ok"))
    fewer = confusion.summary(made.predictions, lost, made.truths)
    assert set(fewer.n_runs[fewer.arm == confusion.SCRATCH]) == {1}


@pytest.mark.parametrize(
    ("module", "task"), [(reconstruction, "reconstruction"), (protein, "protein")]
)
def test_other_tasks_are_means_of_runs(made: factory.Made, module: Any, task: str) -> None:
    scores = other_tasks(made.scores)
    metric = {"reconstruction": "ev_weighted", "protein": "pearson_cell"}[task]
    frame = dots.summary(scores, task, [metric])
    rows = scores[(scores.task == task) & (scores.metric == metric) & (scores.method == "byol")]
    row = frame[(frame.method == "byol") & (frame.readout == "ridge")].iloc[0]
    assert row["mean"] == pytest.approx(rows[rows.readout == "ridge"].value.mean())
    assert row.low < row["mean"] < row.high
    empty = module.summary(made.scores)
    assert empty.empty and list(empty.columns) == list(module.COLUMNS)
    (text,) = figures.drawn(module, empty).texts
    assert text.get_text() == "no run to draw: see the score table"


@pytest.mark.parametrize(
    ("column", "value"),
    [(column, value) for column, own in reconstruction.LEFT_OUT.items() for value in own],
)
def test_arms_far_below_the_gene_means_are_in_the_table_alone(
    made: factory.Made, column: str, value: str
) -> None:
    scores = other_tasks(made.scores)
    low = scores[(scores.task == "reconstruction") & (scores.method == "byol")]
    plain = reconstruction.summary(scores)
    frame = reconstruction.summary(pd.concat([scores, low.assign(**{column: value})]))
    assert value in set(frame[column]) - set(plain[column])
    assert numbers(reconstruction.draw(frame)) == numbers(reconstruction.draw(plain))


def test_runs_that_failed_are_marked_and_the_empty_ones_too() -> None:
    frame = collapse.summary(health(("random_mask", "byol")))
    assert set(frame.status) == {"ok", "not_learned", "diverged"}
    figure = collapse.draw(frame)
    red = [
        points
        for points in figure.axes[0].collections
        if len(points.get_offsets()) and tuple(points.get_facecolor()[0][:3]) != (0.0, 0.0, 0.0)
    ]
    drawn = sum(len(points.get_offsets()) for points in red)
    assert drawn == len(frame), "every run has its point, the one without a measure too"


@pytest.mark.parametrize("module", [pretexts, label_efficiency])
def test_runs_that_failed_are_counted_in_their_panel(module: Any) -> None:
    frame = made_table(module.__name__.rpartition(".")[2], "large").copy()
    assert not any("did not learn" in text for text in _texts(module.draw(frame)))
    part = (frame.method == "byol") & (frame["mode"] == "frozen") & (frame.target == "pbmc3k")
    part &= frame.corpus == "kang_ctrl"
    frame.loc[part & (frame.regime == "3"), "n_failed"] = 7  # some runs of three labels
    noted = [text for text in _texts(module.draw(frame)) if "did not learn" in text]
    assert noted == ["runs that did not learn, left out: BYOL 7"]
    frame.loc[frame.target == "pbmc3k", "mean"] = np.nan  # its panels have no run that learned
    assert [text for text in _texts(module.draw(frame)) if "did not learn" in text] == noted


def _texts(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_sweeps_hold_parts_and_settings_and_nothing_else(tmp_path: Path) -> None:
    frame = made_table("sweeps", "small")
    assert set(frame.sweep) == {"cells of kang_ctrl", "rate of random_mask"}
    sizes = frame[(frame.sweep == "cells of kang_ctrl") & (frame["mode"] == "frozen")]
    assert sizes.x.tolist() == [570, 1900, 6041]
    rates = frame[(frame.sweep == "rate of random_mask") & (frame["mode"] == "frozen")]
    assert rates.sort_values("x").x.tolist() == [0.25, 0.5, 0.75]
    scores = overall(swept(*PLACE), "macro_f1")
    own = runs(scores, corpus="kang_ctrl_600", mode="frozen", readout="probe", method="random_mask")
    assert sizes["mean"].iloc[0] == pytest.approx(own["10"].mean())
    for entry in ENTRIES:
        folder = tmp_path / entry.corpus / entry.method
        folder.mkdir(parents=True)
        part = "kang_ctrl" if entry.corpus != "kang_ctrl" else ""
        spec = {"corpus": {"name": entry.corpus, "part_of": part}, "method": entry.method}
        spec |= {"task": entry.task, "params": entry.params}
        model = {"spec": spec, "corpus": {"n_train": entry.n_cells}}
        (folder / "model.json").write_text(json.dumps(model))
    table.write(swept(*PLACE), tmp_path / "scores.parquet")
    models = sorted(tmp_path.glob("*/*/model.json"))
    read = sweeps.table([tmp_path / "scores.parquet", *models])
    pd.testing.assert_frame_equal(read, frame)


def test_one_size_or_setting_alone_is_no_sweep() -> None:
    """Where a target has scores of the whole corpus and of one rate, and of no part or other."""
    assert sweeps.summary(overall(made_study(*PLACE).scores, "macro_f1"), ENTRIES).empty


def test_sizes_are_drawn_on_a_logarithmic_axis_and_settings_are_not() -> None:
    figure = sweeps.draw(made_table("sweeps", "small"))
    scales = {axes.get_xlabel(): axes.get_xscale() for axes in figure.axes if axes.lines}
    assert scales == {"cells pre-trained on": "log", "rate": "linear"}


def test_a_setting_is_swept_over_whole_corpora_by_one_number_that_measures() -> None:
    def swept_by(*entries: tuple[str, dict[str, Any]]) -> set[str]:
        """Sweeps of these methods, each of a corpus and with its settings."""
        made = [
            sweeps.Entry(corpus, f"m{number}", "kang_ctrl", 6041, "gene_programme", params)
            for number, (corpus, params) in enumerate(entries)
        ]
        return {sweep for sweep, *_ in sweeps._settings(made)}

    plain = ("kang_ctrl", {"share": 0.3, "of": "measured", "permutation": 0})
    assert swept_by(plain, (plain[0], {**plain[1], "share": 0.5})) == {"share of gene_programme"}
    for corpus, change in (
        ("kang_ctrl", {"permutation": 1}),
        ("kang_ctrl", {"of": "expressed"}),
        ("kang_ctrl", {"share": 0.5, "of": "expressed"}),
        ("kang_ctrl", {"share": True}),
        ("baron_pool", {"share": 0.5}),
    ):
        assert swept_by(plain, (corpus, {**plain[1], **change})) == set(), change
    part = "kang_ctrl_600"
    assert swept_by((part, plain[1]), (part, {**plain[1], "share": 0.5})) == set()


def test_contrasts_of_parts_and_controls_are_in_the_table_alone() -> None:
    table = compared(*PLACE)
    assert len(contrasts.summary(table)) > 5
    for change in ({"role": PART}, {"corpus": "kang_ctrl_shuffled"}):
        assert contrasts.summary(table.assign(**change)).empty


def test_without_a_sweep_the_figure_says_so() -> None:
    scores = overall(made_study(*PLACE).scores, "macro_f1")
    frame = sweeps.summary(scores, [entry for entry in ENTRIES if entry.method == "byol"])
    assert frame.empty
    drawn = figures.drawn(figures.module("sweeps"), frame).findobj(Text)
    assert any("needs configs/paper.yaml" in text.get_text() for text in drawn)
