"""Sums over the counts of a block of cells, compiled: every count is looked at once a pass.

Shape suffixes: B cells of a block, V its values, F genes.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from scipy import sparse

from selfcell.data.contract import LARGEST

compiled: Any = numba.njit(cache=True, nogil=True)


def tidy(block: sparse.csr_matrix) -> None:
    """Sort a block's values, sum those of one place, drop zeros; mostly there is nothing to do."""
    if block.data.dtype == np.float32 and block.indices.dtype == np.int32:
        block.has_canonical_format = _is_tidy(block.data, block.indices, block.indptr)
        if block.has_canonical_format:
            return
    block.sum_duplicates()
    block.eliminate_zeros()


def measure(block: sparse.csr_matrix, marked_F: np.ndarray) -> tuple[np.ndarray, int]:
    """Per cell: counts, counts of marked genes, genes seen ((3, B) float64); and where in `data`
    the first value stands that is no count, or -1."""
    out_3B = np.zeros((3, block.shape[0]))
    wide = block.data if block.data.dtype == np.float32 else block.data.astype(np.float64)
    indices, indptr = block.indices.astype(np.int32, copy=False), block.indptr.astype(np.int64)
    place = _measure(wide, indices, indptr, marked_F, out_3B)
    return out_3B, int(place)


def add(block: sparse.csr_matrix, scale_B: np.ndarray, sums_F4: np.ndarray) -> None:
    """Add cells to sums by gene: cells it is seen in, counts, scaled counts and their squares. A
    cell whose scale is 0 is left out."""
    data = block.data.astype(np.float32, copy=False)
    indices, indptr = block.indices.astype(np.int32, copy=False), block.indptr.astype(np.int64)
    _add(data, indices, indptr, scale_B, sums_F4)


@compiled
def _is_tidy(data_V: np.ndarray, index_V: np.ndarray, indptr_B: np.ndarray) -> bool:
    for cell in range(len(indptr_B) - 1):
        first, last = indptr_B[cell], indptr_B[cell + 1]
        if first == last:
            continue
        # Slices count from 0, and no value ends the loop: so several are compared at a time.
        value_K, gene_K = data_V[first:last], index_V[first:last]
        wrong = gene_K[0] < 0 or value_K[0] == 0
        for k in range(1, len(gene_K)):
            wrong |= (gene_K[k] <= gene_K[k - 1]) | (value_K[k] == 0)
        if wrong:
            return False
    return True


@compiled
def _is_count(value: float) -> bool:
    return (value >= 0.0) & (np.floor(value) == value) & (value < LARGEST)


# Whole numbers add up to the same in any order, so the compiler may choose one.
@numba.njit(cache=True, nogil=True, fastmath={"reassoc"})
def _measure(
    data_V: np.ndarray,
    index_V: np.ndarray,
    indptr_B: np.ndarray,
    marked_F: np.ndarray,
    out_3B: np.ndarray,
) -> int:
    for cell in range(out_3B.shape[1]):
        first, last = indptr_B[cell], indptr_B[cell + 1]
        value_K, gene_K = data_V[first:last], index_V[first:last]
        total = marked = 0.0
        seen = wrong = 0
        for k in range(len(value_K)):
            total += value_K[k]
            seen += value_K[k] > 0.0
            wrong += not _is_count(value_K[k])
        if wrong:
            for k in range(len(value_K)):
                if not _is_count(value_K[k]):
                    return first + k
        for k in range(len(value_K)):
            if marked_F[gene_K[k]]:
                marked += value_K[k]
        out_3B[0, cell] = total
        out_3B[1, cell] = marked
        out_3B[2, cell] = seen
    return -1


@compiled
def _add(
    data_V: np.ndarray,
    index_V: np.ndarray,
    indptr_B: np.ndarray,
    scale_B: np.ndarray,
    sums_F4: np.ndarray,
) -> None:
    for cell in range(len(scale_B)):
        scale = scale_B[cell]
        if scale == 0.0:
            continue
        value_K = data_V[indptr_B[cell] : indptr_B[cell + 1]]
        gene_K = index_V[indptr_B[cell] : indptr_B[cell + 1]]
        for k in range(len(value_K)):
            value = np.float64(value_K[k])
            scaled = value * scale
            sums_4 = sums_F4[gene_K[k]]
            sums_4[0] += value > 0.0
            sums_4[1] += value
            sums_4[2] += scaled
            sums_4[3] += scaled * scaled
