"""Every baseline on a small made-up target: what bounds what, and what may see what."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import torch

from selfcell.baselines import BASELINES, logreg, pca, permuted, random_encoder, self_training
from selfcell.baselines.base import OWN_POOL, Direct, run_baselines
from selfcell.errors import ConfigError, DataError
from selfcell.stats import table
from selfcell.stats.predictions import PREDICTIONS
from tests.baselines.made import GENES, expression, inputs
from tests.tasks.blobs import SIZES

READOUTS = ["probe", "prototype", "knn1"]


@pytest.fixture(scope="module")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    return run_baselines(list(BASELINES), inputs(gap=2.0), READOUTS)


def mean(scores: pd.DataFrame, metric: str) -> pd.Series:
    """Mean of an overall metric by method and readout."""
    rows = scores[(scores.level == "overall") & (scores.metric == metric)]
    return rows.groupby(["method", "readout"]).value.mean()


def test_rows_pass_the_table_contract(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table.validate(frames[0])
    PREDICTIONS.check(frames[1])
    assert set(frames[0].method) == {*BASELINES, "pca_own_genes"}
    assert set(frames[0]["mode"]) == {"baseline"}


@pytest.mark.parametrize("metric", ["macro_f1", "macro_f1_union", "micro_f1", "balanced_accuracy"])
def test_controls_bound_every_metric(
    frames: tuple[pd.DataFrame, pd.DataFrame], metric: str
) -> None:
    score = mean(frames[0], metric)
    informed = score[["pca", "pca_own_genes", "logreg", "self_training", "random_projection"]]
    blind = score[["permuted", "majority", "random_embedding"]]
    assert score["perfect"].item() == 1.0
    assert informed.max() < 1.0
    assert informed.min() > blind.max()
    if metric.startswith("macro_f1"):
        assert score["majority"].item() < score["permuted"].item()
    if metric == "balanced_accuracy":
        assert score["majority"].item() == pytest.approx(1 / len(SIZES))


def test_a_perfect_predictor_is_calibrated(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert mean(frames[0], "ece")["perfect"].item() == 0.0


def test_pca_is_fitted_on_corpus_pool_and_both(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    rows = frames[0][frames[0].method == "pca"]
    assert set(rows.corpus) == {"some", OWN_POOL, f"some+{OWN_POOL}"}
    assert set(rows.seed) == {0}


def test_random_arms_come_by_seed(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    for method in ("random_projection", "random_encoder", "random_embedding"):
        rows = frames[0][frames[0].method == method]
        assert set(rows.seed) == {0, 1}
        assert set(rows.init) == {"random"}
        by_seed = rows[(rows.metric == "macro_f1")].groupby("seed").value.mean()
        assert by_seed[0] != by_seed[1]


def test_same_rows_twice(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    again = run_baselines(list(BASELINES), inputs(gap=2.0), READOUTS)
    pd.testing.assert_frame_equal(frames[0], again[0])


@pytest.mark.parametrize("name", BASELINES)
def test_no_arm_but_the_controls_depends_on_test_labels(name: str) -> None:
    made = inputs()
    blind = replace(made.truth, test_N=np.full_like(made.truth.test_N, 3))
    for arm, other in zip(
        import_module(BASELINES[name]).arms(made),
        import_module(BASELINES[name]).arms(replace(made, truth=blind)),
        strict=True,
    ):
        if isinstance(arm, Direct):
            regime, draw, cells = next(made.truth.each_draw())
            same = np.array_equal(
                arm.predict(regime, draw, cells)[0], other.predict(regime, draw, cells)[0]
            )
            assert same == (name not in ("perfect", "permuted"))
        else:
            assert np.array_equal(arm.test_ND, other.test_ND)


ALONE = sorted(set(BASELINES) - {"pca_refitted", "perfect", "permuted", "random_embedding"})


@pytest.mark.parametrize("name", ALONE)
def test_what_a_cell_is_given_does_not_depend_on_other_test_cells(name: str) -> None:
    made = inputs()
    part = replace(made.truth, test_N=made.truth.test_N[:5])
    fewer = replace(made, truth=part, test_NG=made.test_NG[:5])
    arms = import_module(BASELINES[name]).arms
    for arm, other in zip(arms(made), arms(fewer), strict=True):
        if isinstance(arm, Direct):
            draw = next(made.truth.each_draw())
            assert np.array_equal(arm.predict(*draw)[0][:5], other.predict(*draw)[0])
            continue
        assert other.test_ND == pytest.approx(arm.test_ND[:5], abs=1e-5)
        assert np.array_equal(arm.pool_PD, other.pool_PD)


def test_a_refitted_pca_is_no_arm_of_the_study() -> None:
    """Its test cells lie in a space of their own, so that removing some moves the others."""
    full = inputs(gap=2.0)
    (arm,) = import_module(BASELINES["pca_refitted"]).arms(full)
    assert arm.protocol == "published"
    own = pca.fit(full.pool_PG, full.width)
    assert np.allclose(arm.pool_PD, own.embed(full.pool_PG)[:, : arm.pool_PD.shape[1]])
    assert not np.allclose(arm.test_ND, own.embed(full.test_NG)[:, : arm.test_ND.shape[1]])
    rows = run_baselines(["pca", "pca_refitted"], full, ["probe"])[0]
    assert set(rows[rows.method == "pca_refitted"].protocol) == {"published"}
    own_rows = rows[(rows.method == "pca") & (rows.readout == "probe")]
    assert set(own_rows.protocol) == {"intended"}


def test_pca_against_a_full_decomposition() -> None:
    x_NG = expression("any")
    ours = pca.fit(x_NG, 8).embed(x_NG)
    centred = x_NG.toarray().astype(np.float64) - x_NG.toarray().mean(0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    assert np.abs(ours) == pytest.approx(np.abs(left[:, :8] * size[:8]), abs=1e-3)


def test_pca_of_few_cells_is_narrower() -> None:
    assert pca.fit(expression("any")[:5], 8).axes_GD.shape == (GENES, 4)
    with pytest.raises(DataError, match="PCA of 2 cells"):
        pca.fit(expression("any")[:2], 8)


def test_random_encoder_is_where_pre_training_starts() -> None:
    made = inputs()
    net = random_encoder.encoder(made, seed=1)
    again = random_encoder.encoder(made, seed=1)
    other = random_encoder.encoder(made, seed=0)
    assert torch.equal(net.layers[0].weight, again.layers[0].weight)
    assert not torch.equal(net.layers[0].weight, other.layers[0].weight)
    assert net.layers[-1].out_features == made.width


def test_own_genes_alone_reach_logistic_regression() -> None:
    made = inputs()
    noisy = made.test_NG.toarray()
    noisy[:, 30:] = 9.0
    changed = replace(made, test_NG=type(made.test_NG)(noisy))
    regime, draw, cells = next(made.truth.each_draw())
    codes = [next(logreg.arms(each)).predict(regime, draw, cells)[0] for each in (made, changed)]
    assert np.array_equal(*codes)


def test_permutation_stays_within_batches() -> None:
    made = inputs()
    predicted_N, _, _ = next(permuted.arms(made)).predict("3", 0, np.arange(3))
    for batch in ("one", "two"):
        cells = made.batch_N == batch
        assert sorted(predicted_N[cells]) == sorted(made.truth.test_N[cells])
    assert not np.array_equal(predicted_N, made.truth.test_N)


def test_self_training_learns_from_unlabelled_cells() -> None:
    made = inputs(gap=2.0)
    regime, draw, cells = next(made.truth.each_draw())
    _, _, n_train = next(self_training.arms(made)).predict(regime, draw, cells)
    assert len(cells) < n_train <= sum(SIZES)


def test_self_training_with_every_cell_labelled() -> None:
    arm = next(self_training.arms(inputs()))
    everything = np.arange(sum(SIZES))
    assert arm.predict("all", 0, everything)[2] == sum(SIZES)


def test_a_type_without_labels_is_scored_0() -> None:
    made = inputs()
    cells = np.flatnonzero(made.truth.pool_P < 3)
    truth = replace(made.truth, draws={"3": [cells]})
    scores, _ = run_baselines(
        ["logreg", "pca", "self_training"], replace(made, truth=truth), ["probe"]
    )
    assert (scores[scores.label == "rare"].value == 0).all()


def test_wrong_names_and_shapes_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown baseline 'pka'"):
        run_baselines(["pka"], inputs(), READOUTS)
    with pytest.raises(DataError, match="pool expression"):
        inputs(pool_PG=expression("pool")[1:])
    with pytest.raises(DataError, match="corpus some"):
        inputs(corpora={"some": expression("x")[:, :9]})
    with pytest.raises(DataError, match="own_G"):
        inputs(own_G=np.zeros(GENES, bool))
    with pytest.raises(DataError, match="no baseline"):
        run_baselines([], inputs(), READOUTS)
