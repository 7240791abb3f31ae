"""Compiled loops over compact cells; numba is imported here alone, and only by who needs it.

Importing this module takes half a second, compiling its loops some seconds more on the first run of
an installation (they are kept on disk). All loops let other threads run beside them, and none
computes a logarithm: they look values up that NumPy computed, so that their results are NumPy's to
the bit.

Shape suffixes: B cells of a batch, R cells of a call, V values, G genes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

LANES = 16  # float32 numbers of a cache line


@intrinsic
def _stream(context: Any, source: Any, target: Any) -> Any:
    """Copy a cache line from one address to another, aligned one, past the caches.

    An ordinary store reads the line before it writes it: twice the traffic for output that is
    next read by someone else.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        line = ir.VectorType(ir.FloatType(), LANES).as_pointer()
        value = builder.load(builder.inttoptr(arguments[0], line), align=4)
        store = builder.store(value, builder.inttoptr(arguments[1], line), align=64)
        one = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
        store.set_metadata("nontemporal", one)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), emit


@njit(nogil=True, cache=True)
def _copy_line_by_line(source_G: np.ndarray, target_G: np.ndarray) -> None:
    n = len(target_G)
    from_, to = source_G.ctypes.data, target_G.ctypes.data
    head = min(n, ((64 - (to & 63)) & 63) >> 2)
    lines = (n - head) // LANES
    for g in range(head):
        target_G[g] = source_G[g]
    for line in range(lines):
        offset = 4 * (head + LANES * line)
        _stream(from_ + offset, to + offset)  # type: ignore[call-arg]
    for g in range(head + LANES * lines, n):
        target_G[g] = source_G[g]


@njit(nogil=True, cache=True)
def _list_large(
    count_V: np.ndarray, top: np.uint8, r: int, first: int, large: np.ndarray, found: int
) -> int:
    """Add the counts above `top` of cell r, whose values start at `first`, to the list."""
    most = np.uint8(0)
    for k in range(len(count_V)):  # a loop without a branch: most cells have none
        most = max(most, count_V[k])
    if most > top:
        for k in range(len(count_V)):
            if count_V[k] > top:
                large[found, 0], large[found, 1] = r, first + k
                found += 1
    return found


@njit(nogil=True, cache=True)
def fill_dense(
    gene: np.ndarray,
    count: np.ndarray,
    start_R: np.ndarray,
    stop_R: np.ndarray,
    place_R: np.ndarray,
    value_BL: np.ndarray,
    missing: np.ndarray,
    row_G: np.ndarray,
    out_BG: np.ndarray,
    large: np.ndarray,
) -> int:
    """Write cells as dense rows.

    Args:
        gene, count: of all values of a shard.
        start_R, stop_R: where each cell's values stand.
        place_R: row of the batch that each cell goes to.
        value_BL: float32 value of each count below L, by row of the batch.
        missing: genes that are 0 whatever was counted.
        row_G: float32 zeros to work in; zeros again afterwards.
        out_BG: float32, written in full for these rows.
        large: (V, 2) int64, filled with cell (of R) and position in the shard of counts of L or
            more, which are left to the caller.

    Returns:
        Number of those.
    """
    found, top = 0, np.uint8(value_BL.shape[1] - 1)
    for r in range(len(place_R)):
        b = place_R[r]
        value_L = value_BL[b]
        # Slices count from 0: indices that might be negative are checked one by one.
        gene_V, count_V = gene[start_R[r] : stop_R[r]], count[start_R[r] : stop_R[r]]
        n = len(gene_V)
        for k in range(n):
            row_G[gene_V[k]] = value_L[min(count_V[k], top)]
        found = _list_large(count_V, top, r, start_R[r], large, found)
        for g in missing:
            row_G[g] = 0.0
        _copy_line_by_line(row_G, out_BG[b])
        for k in range(n):
            row_G[gene_V[k]] = 0.0
    return found


@njit(nogil=True, cache=True)
def fill_sparse(
    gene: np.ndarray,
    count: np.ndarray,
    start_R: np.ndarray,
    stop_R: np.ndarray,
    place_R: np.ndarray,
    value_BL: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    large: np.ndarray,
) -> int:
    """Write cells as compressed sparse rows. Arguments and result as in `fill_dense`; `indptr`
    (B + 1) is given, `indices` (int32) and `data` (float32) are written."""
    found, top = 0, np.uint8(value_BL.shape[1] - 1)
    for r in range(len(place_R)):
        b = place_R[r]
        value_L = value_BL[b]
        # Slices count from 0: indices that might be negative are checked one by one.
        gene_V, count_V = gene[start_R[r] : stop_R[r]], count[start_R[r] : stop_R[r]]
        n, first = len(gene_V), indptr[b]
        indices_V, data_V = indices[first : first + n], data[first : first + n]
        for k in range(n):
            indices_V[k] = gene_V[k]
        for k in range(n):
            data_V[k] = value_L[min(count_V[k], top)]
        found = _list_large(count_V, top, r, start_R[r], large, found)
    return found


@njit(nogil=True, cache=True)
def take(
    gene: np.ndarray,
    count: np.ndarray,
    start_R: np.ndarray,
    stop_R: np.ndarray,
    place_R: np.ndarray,
    indptr: np.ndarray,
    gene_V: np.ndarray,
    count_V: np.ndarray,
) -> None:
    """Copy compact cells: cell r to where row `place_R[r]` of `indptr` starts."""
    for r in range(len(place_R)):
        shift = indptr[place_R[r]] - start_R[r]
        for k in range(start_R[r], stop_R[r]):
            gene_V[shift + k] = gene[k]
            count_V[shift + k] = count[k]


@njit(nogil=True, cache=True)
def narrow(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    column: np.ndarray,
    largest: float,
    gene_V: np.ndarray,
    count_V: np.ndarray,
    over_at: np.ndarray,
    over_value: np.ndarray,
    length_R: np.ndarray,
    sum_R: np.ndarray,
) -> tuple[int, int, int]:
    """Compact sparse rows: 8-bit counts of the columns that stay, large ones listed apart.

    Args:
        column: new number of each column, -1 for one that goes; increasing where it stays.
        largest: counts are whole numbers below it.
        gene_V ... sum_R: written.

    Returns:
        Number of values, number of large ones, position of the first value that is no count
        (-1: none; nothing is written from there on).
    """
    n, over = 0, 0
    for r in range(len(indptr) - 1):
        first, total = n, 0.0
        for k in range(indptr[r], indptr[r + 1]):
            g = column[indices[k]]
            x = data[k]
            if g < 0 or x == 0:
                continue
            if not (0 <= x < largest) or x != np.floor(x):
                return n, over, k
            gene_V[n] = g
            count_V[n] = min(x, 255)
            if x > 255:
                over_at[over], over_value[over] = n, x
                over += 1
            total += x
            n += 1
        length_R[r], sum_R[r] = n - first, total
    return n, over, -1
