"""Halves of molecules: whole, independent, and each normalised by its own total."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from selfcell.data.thinning import thin
from selfcell.keys import generator

N, G = 400, 30


def counts(key: str, rate: float = 3.0) -> sparse.csr_matrix:
    """Poisson counts of one rate: cells differ by noise alone."""
    rng = generator("thinning", key)
    return sparse.csr_matrix(rng.poisson(rate, size=(N, G)).astype(np.float32))


def back(x_NG: sparse.csr_matrix, total_N: np.ndarray) -> np.ndarray:
    """Counts out of log1p of counts per 10,000."""
    return np.expm1(x_NG.toarray().astype(np.float64)) * total_N[:, None] / 1e4


def test_halves_add_up_to_the_cell_under_totals_that_add_up() -> None:
    whole = counts("sum")
    total_N = np.asarray(whole.sum(1)).ravel().astype(int) + 50
    halves = thin(whole, total_N, generator("t"))
    # With the right total of each half, counts are whole numbers again and add up.
    seen_N = _total(halves.seen_NG, total_N)
    seen, hidden = back(halves.seen_NG, seen_N), back(halves.hidden_NG, total_N - seen_N)
    assert np.allclose(seen, np.round(seen), atol=1e-3)
    assert np.allclose(seen + hidden, whole.toarray(), atol=1e-3)
    assert (halves.seen_N == seen_N).all()
    assert (halves.seen_N + halves.hidden_N == total_N).all()
    assert np.allclose(halves.count_NG.toarray(), hidden, atol=1e-3)
    assert set(np.unique(halves.count_NG.data % 1)) == {0.0}


def _total(x_NG: sparse.csr_matrix, total_N: np.ndarray) -> np.ndarray:
    """The total of each cell's half: the one under which its smallest count is one."""
    least_N = np.array([row.data.min() for row in x_NG])
    return np.round(1e4 / np.expm1(least_N.astype(np.float64)))


def test_a_hand_made_cell() -> None:
    """Two molecules of one gene, nothing else: whatever the draw, each half holds its own."""
    one = sparse.csr_matrix(np.array([[2.0, 0.0]], dtype=np.float32))
    seen = [thin(one, np.array([2]), generator(i)).seen_NG[0, 0] for i in range(400)]
    share = np.mean([value > 0 for value in seen])
    assert 0.68 < share < 0.82  # 3/4: one or both molecules seen
    assert set(np.round(seen, 4)) == {0.0, np.float32(np.round(np.log1p(1e4), 4))}


def test_counts_outside_the_vocabulary_belong_to_the_totals() -> None:
    one = sparse.csr_matrix(np.full((1, 1), 1000.0, dtype=np.float32))
    halves = thin(one, np.array([10_000]), generator("outside"))
    assert np.allclose(np.expm1(halves.seen_NG.toarray()), 1000, rtol=0.15)


def test_the_halves_of_noise_are_uncorrelated() -> None:
    whole = counts("noise")
    halves = thin(whole, np.full(N, 10_000), generator("halves"))
    a, b = (part.toarray().astype(np.float64) for part in (halves.seen_NG, halves.hidden_NG))
    r = [np.corrcoef(a[:, gene], b[:, gene])[0, 1] for gene in range(G)]
    assert abs(np.mean(r)) < 4 / np.sqrt(N * G)


def test_the_same_generator_divides_alike_and_an_empty_half_is_zero() -> None:
    whole = sparse.csr_matrix(np.eye(3, dtype=np.float32))  # one molecule a cell
    halves = [thin(whole, np.ones(3), generator("same")) for _ in range(2)]
    assert (halves[0].seen_NG != halves[1].seen_NG).nnz == 0
    assert halves[0].seen_NG.nnz + halves[0].hidden_NG.nnz == 3
