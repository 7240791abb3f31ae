"""Explained variance and squared error: by hand, against references, and in chunks of any size."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import explained_variance_score, mean_squared_error

from selfcell.errors import DataError
from selfcell.keys import generator
from selfcell.metrics.reconstruct import BATCHED, METRICS, Sums, shared


def made(n: int = 57, genes: int = 9, key: object = 0) -> tuple[np.ndarray, np.ndarray]:
    """Truth and a prediction that is good for some genes and shifted for all."""
    rng = generator("reconstruct", key)
    truth_NG = rng.gamma(1.0, 1.0, (n, genes)) * np.arange(1, genes + 1)
    quality_G = rng.uniform(-0.5, 1.0, genes)
    return truth_NG, quality_G * truth_NG + rng.normal(0, 0.5, (n, genes)) + 3.0


def reference(truth_NG: np.ndarray, predicted_NG: np.ndarray) -> dict[str, float]:
    """All at once in float64, as the definitions read."""
    error_NG = truth_NG - predicted_NG
    left_G, whole_G = error_NG.var(0), truth_NG.var(0)
    varies_G = whole_G > 0
    return {
        "ev_weighted": 1 - left_G.sum() / whole_G.sum(),
        "ev_uniform": np.mean(1 - left_G[varies_G] / whole_G[varies_G]),
        "mse": np.mean(error_NG**2),
    }


def test_by_hand() -> None:
    """Two genes, four cells. Gene one: variance 1, predicted 2 too high, so explained whole.
    Gene two: variance 4, predicted 0, so nothing is explained and its mean square is 4 + 9."""
    truth_NG = np.array([[1.0, 1.0], [3.0, 5.0], [1.0, 1.0], [3.0, 5.0]])
    predicted_NG = np.stack([truth_NG[:, 0] + 2.0, np.zeros(4)], 1)
    sums = Sums.of(truth_NG, predicted_NG)
    assert sums.explained_G.tolist() == [1.0, 0.0]
    assert sums.mse_G.tolist() == [4.0, 13.0]
    assert sums.variance_G.tolist() == [1.0, 4.0]
    expected = {"ev_weighted": 1 / 5, "ev_uniform": 1 / 2, "mse": 17 / 2}
    assert sums.values() == pytest.approx(expected)
    assert set(expected) == set(METRICS)


def test_against_numpy_and_scikit_learn() -> None:
    truth_NG, predicted_NG = made()
    values = Sums.of(truth_NG, predicted_NG).values()
    assert values == pytest.approx(reference(truth_NG, predicted_NG), rel=1e-12)
    for name, kind in (("ev_weighted", "variance_weighted"), ("ev_uniform", "uniform_average")):
        peer = explained_variance_score(truth_NG, predicted_NG, multioutput=kind)
        assert values[name] == pytest.approx(peer, rel=1e-12)
    assert values["mse"] == pytest.approx(mean_squared_error(truth_NG, predicted_NG), rel=1e-12)


@pytest.mark.parametrize("case", range(60))
def test_any_chunking_gives_the_same(case: int) -> None:
    """Chunks of any size in any order; also far from zero, where plain sums lose their digits."""
    truth_NG, predicted_NG = made()
    truth_NG = truth_NG + (1e4 if case % 2 else 0.0)
    rng = generator("cuts", case)
    cuts = np.sort(rng.choice(np.arange(1, 57), size=rng.integers(0, 57), replace=False))
    parts = [
        Sums.of(*pair)
        for pair in zip(np.split(truth_NG, cuts), np.split(predicted_NG, cuts), strict=True)
    ]
    shuffled = [parts[place] for place in rng.permutation(len(parts))]
    total = sum(shuffled, Sums.none(truth_NG.shape[1]))
    assert total.n == len(truth_NG)
    assert total.values() == pytest.approx(reference(truth_NG, predicted_NG), rel=1e-9)
    whole = Sums.of(truth_NG, predicted_NG)
    assert total.explained_G == pytest.approx(whole.explained_G, rel=1e-9)


def test_batch_values_by_hand() -> None:
    """Two genes, batches of two cells. Batch one: gene one varies by 1 and is explained whole, gene
    two by 4 and not at all; 1/5 and 1/2. Batch two: gene one varies by 1 and an error of half of it
    leaves 1/4; gene two does not vary, though its prediction does, and counts 0; 3/4 and 3/8."""
    first = Sums.of(np.array([[1.0, 1.0], [3.0, 5.0]]), np.array([[3.0, 0.0], [5.0, 0.0]]))
    other = Sums.of(np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[0.5, 1.0], [1.5, 3.0]]))
    single = Sums.of(np.array([[7.0, 7.0]]), np.array([[0.0, 0.0]]))
    total = first + other + single  # one cell does not vary: no batch
    expected = {"ev_weighted_batches": 19 / 40, "ev_uniform_batches": 7 / 16}
    assert total.batch_values() == pytest.approx(expected)
    assert set(expected) == set(BATCHED)
    assert not set(BATCHED) & set(METRICS)
    assert single.batch_values() == Sums.none(2).batch_values() == {}
    constant = Sums.of(np.array([[1.0, 0.1]] * 3 + [[3.0, 0.1]]), np.full((4, 2), 0.3))
    assert constant.batch_values()["ev_uniform_batches"] == pytest.approx(1 / 2)  # 0 and 1


def test_batch_values_are_means_of_the_peers_and_other_than_of_all_cells() -> None:
    """scikit-learn treats a gene that does not vary as torchmetrics does."""
    truth_NG, predicted_NG = made()
    truth_NG[:16, 0] = 0.0
    cuts = np.arange(8, 57, 8)
    pairs = list(zip(np.split(truth_NG, cuts), np.split(predicted_NG, cuts), strict=True))[:-1]
    total = sum((Sums.of(*pair) for pair in pairs), Sums.none(truth_NG.shape[1]))
    for name, kind in (("ev_weighted", "variance_weighted"), ("ev_uniform", "uniform_average")):
        mean = np.mean([explained_variance_score(*pair, multioutput=kind) for pair in pairs])
        assert total.batch_values()[f"{name}_batches"] == pytest.approx(mean, rel=1e-9)
        assert abs(mean - total.values()[name]) > 1e-3


def test_a_constant_explains_nothing_and_a_gene_that_does_not_vary_counts_nothing() -> None:
    truth_NG, _ = made()
    constant = Sums.of(truth_NG, np.full_like(truth_NG, 3.0)).values()
    assert constant["ev_weighted"] == pytest.approx(0, abs=1e-12)
    assert constant["ev_uniform"] == pytest.approx(0, abs=1e-12)
    flat_NG = np.concatenate([truth_NG, np.ones((len(truth_NG), 1))], 1)
    perfect = Sums.of(flat_NG, flat_NG)
    assert perfect.values() == {"ev_weighted": 1.0, "ev_uniform": 1.0, "mse": 0.0}
    assert np.isnan(perfect.explained_G[-1])


def test_the_ceiling_is_what_the_halves_share() -> None:
    """Halves are a signal of variance 4 each with own noise of variance 1: 4/5 is explicable."""
    rng = generator("ceiling")
    signal_NG = rng.normal(0, 2, (40_000, 3))
    seen_NG, hidden_NG = (signal_NG + rng.normal(0, 1, signal_NG.shape) for _ in range(2))
    ceiling = shared(Sums.of(hidden_NG, seen_NG), Sums.of(hidden_NG, -seen_NG)).values()
    assert ceiling["ev_weighted"] == pytest.approx(0.8, abs=0.02)
    assert ceiling["mse"] == pytest.approx(1.0, abs=0.05)
    known = Sums.of(hidden_NG, signal_NG).values()["ev_weighted"]
    assert known == pytest.approx(ceiling["ev_weighted"], abs=0.02)


def test_the_ceiling_is_the_covariance_exactly() -> None:
    hidden_NG, seen_NG = made(key="exact")
    covariance_G = ((hidden_NG - hidden_NG.mean(0)) * (seen_NG - seen_NG.mean(0))).mean(0)
    found = shared(Sums.of(hidden_NG, seen_NG), Sums.of(hidden_NG, -seen_NG))
    assert found.explained_G == pytest.approx(covariance_G / hidden_NG.var(0), rel=1e-9)


def test_wrong_shapes_and_flat_data_are_refused() -> None:
    with pytest.raises(DataError, match="predictions are"):
        Sums.of(np.ones((3, 2)), np.ones((3, 3)))
    with pytest.raises(DataError, match="no gene varies"):
        Sums.of(np.ones((3, 2)), np.ones((3, 2))).values()
