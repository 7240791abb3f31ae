"""Two halves of each cell's molecules: one to encode, the other to score.

Each molecule falls into either half with equal chance. Where counts are Poisson given a cell's
expression, the halves are independent given it, so what predicts the second half from the first
is biology and depth, never the noise of the very entries that are scored.

Shape suffixes: N cells, G genes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from selfcell.data.cells import log_normalise


@dataclass(frozen=True)
class Halves:
    """Both halves as float32 CSR log1p of counts scaled to 10,000 a half, over the vocabulary.

    Attributes:
        seen_NG: to encode. hidden_NG: to score.
        count_NG: float32 molecules of the hidden half.
        seen_N, hidden_N: molecules of each half, those outside the vocabulary too; 1 where there
            is none.
    """

    seen_NG: sparse.csr_matrix
    hidden_NG: sparse.csr_matrix
    count_NG: sparse.csr_matrix
    seen_N: np.ndarray
    hidden_N: np.ndarray


def thin(counts: sparse.csr_matrix, total_N: np.ndarray, rng: np.random.Generator) -> Halves:
    """Divide the molecules of cells at random and normalise each half by its own total.

    A half's total counts the molecules outside the vocabulary too, which are divided alike.

    Source: Neufeld et al. 2024 (Biostatistics 25:270), count splitting; epsilon = 1/2.
    Differs from the paper: nothing.

    Args:
        counts: (N, G) whole numbers.
        total_N: counts of each cell over all its genes, at least the sum of its row.
    """
    seen, hidden = counts.copy(), counts.copy()
    seen.data = rng.binomial(counts.data.astype(np.int64), 0.5).astype(np.float32)
    hidden.data = counts.data - seen.data
    rest_N = np.asarray(total_N, dtype=np.int64) - _sums(counts)
    rest_seen_N = rng.binomial(rest_N, 0.5)
    for half in (seen, hidden):
        half.eliminate_zeros()
    # A half that received no molecule is a cell of zeros, whatever it is divided by.
    seen_N = np.maximum(_sums(seen) + rest_seen_N, 1)
    hidden_N = np.maximum(_sums(hidden) + rest_N - rest_seen_N, 1)
    normalised = log_normalise(seen, seen_N), log_normalise(hidden, hidden_N)
    return Halves(*normalised, hidden, seen_N, hidden_N)


def _sums(counts: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel().astype(np.int64)
