"""The compiled sums of a block against NumPy's and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from selfcell.data import tally
from selfcell.keys import generator


def block(dtype: type = np.float32) -> sparse.csr_matrix:
    """Counts of 50 cells, some of them without any, on 70 genes."""
    counts = generator("tally").poisson(0.4, (50, 70)).astype(dtype)
    counts[[0, 7, 49]] = 0
    return sparse.csr_matrix(counts)


@pytest.mark.parametrize("fault", ["none", "unsorted", "repeated", "zero", "first zero"])
def test_a_block_is_made_tidy_whatever_is_wrong_with_it(fault: str) -> None:
    counts = block()
    expected = counts.toarray()
    end = counts.indptr[2]  # of the second cell
    if fault == "unsorted":
        for each in (counts.indices, counts.data):
            each[[end - 2, end - 1]] = each[[end - 1, end - 2]]
    elif fault == "repeated":
        gene, lost = counts.indices[end - 2], counts.indices[end - 1]
        expected[1, gene] += expected[1, lost]
        expected[1, lost] = 0
        counts.indices[end - 1] = gene
    elif "zero" in fault:
        at = counts.indptr[1] if fault == "first zero" else end - 1
        expected[1, counts.indices[at]] = counts.data[at] = 0
    tally.tidy(counts)
    assert counts.has_canonical_format and counts.has_sorted_indices
    assert (counts.data != 0).all()
    assert all((np.diff(counts[cell].indices) > 0).all() for cell in range(50))
    assert np.array_equal(counts.toarray(), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_cells_and_genes_are_summed(dtype: type) -> None:
    counts, marked_F = block(dtype), np.arange(70) % 7 == 0
    dense = counts.toarray().astype(np.float64)
    out_3B, wrong = tally.measure(counts, marked_F)
    assert wrong == -1
    expected = [dense.sum(axis=1), dense[:, marked_F].sum(axis=1), (dense > 0).sum(axis=1)]
    assert np.array_equal(out_3B, expected)
    scale_B, sums_F4 = np.arange(50) / 8, np.zeros((70, 4))
    tally.add(counts, scale_B, sums_F4)
    scaled = dense * scale_B[:, None]
    kept = dense[1:]  # the first has the scale 0
    by_gene = [
        (kept > 0).sum(axis=0),
        kept.sum(axis=0),
        scaled.sum(axis=0),
        (scaled**2).sum(axis=0),
    ]
    np.testing.assert_allclose(sums_F4, np.transpose(by_gene), rtol=1e-12)


@pytest.mark.parametrize("value", [-1.0, 0.5, np.nan, np.inf, -np.inf, 2.0**24, 1e30])
@pytest.mark.parametrize("at", [0, 30, -1])
def test_the_first_value_that_is_no_count_is_found(value: float, at: int) -> None:
    counts = block()
    counts.data[-1] = counts.data[at] = value
    assert tally.measure(counts, np.zeros(70, dtype=bool))[1] == range(counts.nnz)[at]
