"""Exact nearest neighbours: matrix products in blocks that fit the cache, sorted only on demand.

Shape suffixes: N reference cells, M query cells, D dimensions, J neighbours, B queries of a block.
"""

from __future__ import annotations

import numpy as np

QUERIES, FIRST, REFERENCES = 512, 1024, 4096
"""Queries of a block, reference cells of the first block and of the others: a block of float32
distances takes 8 MiB, whatever the number of cells."""

Found = tuple[np.ndarray, np.ndarray]


def nearest(query_MD: np.ndarray, reference_ND: np.ndarray, k: int) -> Found:
    """The k nearest reference cells of each query cell, nearest first.

    Exact search in float32 on embeddings centred on the reference cells; equal distances go to
    the lower index. The first block is partitioned; of each further one only the distances below
    the k-th best so far are looked at, which are few.

    Returns:
        index_MJ int64 and squared Euclidean distance_MJ float32, J = k.

    Raises:
        ValueError: k is not in [1, N], or the dimensions differ.
    """
    if not 1 <= k <= len(reference_ND):
        raise ValueError(f"k = {k} is outside [1, {len(reference_ND)}]")
    if query_MD.shape[1] != reference_ND.shape[1]:
        dims = f"{query_MD.shape[1]} and {reference_ND.shape[1]}"
        raise ValueError(f"query and reference have {dims} dimensions: they must be equal")
    centre_D = reference_ND.mean(0, dtype=np.float64).astype(np.float32)
    augmented_NE = _augment(reference_ND, centre_D)
    block = _Block(min(QUERIES, len(query_MD)) * min(REFERENCES, len(reference_ND)))
    index_MJ = np.empty((len(query_MD), k), np.int64)
    square_MJ = np.empty((len(query_MD), k), np.float32)
    for top in range(0, len(query_MD), QUERIES):
        rows = slice(top, top + QUERIES)
        query_BD = query_MD[rows].astype(np.float32) - centre_D
        ones_B1 = np.ones((len(query_BD), 1), np.float32)
        index_BJ, value_BJ = _search(np.hstack([-2.0 * query_BD, ones_B1]), augmented_NE, k, block)
        own_B1 = np.einsum("bd,bd->b", query_BD, query_BD)[:, None]
        index_MJ[rows], square_MJ[rows] = index_BJ, np.maximum(value_BJ + own_B1, 0.0)
    return index_MJ, square_MJ


def _augment(reference_ND: np.ndarray, centre_D: np.ndarray) -> np.ndarray:
    """(N, D+1): the centred cells and their squared norms, so that the product of a row with
    (-2 query, 1) is their squared distance less the query's own norm."""
    augmented_NE = np.empty((len(reference_ND), reference_ND.shape[1] + 1), np.float32)
    for start in range(0, len(reference_ND), REFERENCES):
        rows = slice(start, start + REFERENCES)
        block = augmented_NE[rows, :-1]
        block[:] = reference_ND[rows]
        block -= centre_D
        augmented_NE[rows, -1] = np.einsum("nd,nd->n", block, block)
    return augmented_NE


class _Block:
    """Products of queries and reference cells in reused memory: fresh pages cost more than the
    arithmetic."""

    def __init__(self, size: int) -> None:
        self._value = np.empty(size, np.float32)
        self._below = np.zeros(-(-size // 8) * 8, bool)

    def product(self, query_BE: np.ndarray, reference_NE: np.ndarray) -> np.ndarray:
        """(B, N) products; overwritten by the next call."""
        shape = (len(query_BE), len(reference_NE))
        value_BN = self._value[: shape[0] * shape[1]].reshape(shape)
        return np.matmul(query_BE, reference_NE.T, out=value_BN)

    def below(self, value_BN: np.ndarray, bound_B1: np.ndarray) -> np.ndarray:
        """Flat places of the values under their row's bound, rising. Few are: eight flags are
        looked at together."""
        size = value_BN.size
        np.less(value_BN, bound_B1, out=self._below[:size].reshape(value_BN.shape))
        self._below[size:] = False
        word = np.flatnonzero(self._below[: -(-size // 8) * 8].view(np.uint64))
        place = (word[:, None] * 8 + np.arange(8)).ravel()
        return place[self._below[place]]


def _search(query_BE: np.ndarray, augmented_NE: np.ndarray, k: int, block: _Block) -> Found:
    """The k smallest products of each query, in rising order."""
    first = max(FIRST, k)
    best = _smallest(query_BE @ augmented_NE[:first].T, k)
    for start in range(first, len(augmented_NE), REFERENCES):
        value_BN = block.product(query_BE, augmented_NE[start : start + REFERENCES])
        place_C = block.below(value_BN, best[1][:, -1:])
        if place_C.size:
            row_C, column_C = np.divmod(place_C, value_BN.shape[1])
            best = _merge(best, row_C, column_C + start, value_BN.ravel()[place_C])
    return best


def _smallest(value_BN: np.ndarray, k: int) -> Found:
    """Places and values of the k smallest of each row in rising order, ties by place."""
    if k < value_BN.shape[1]:
        place = np.argpartition(value_BN, k - 1, 1)[:, :k]
        last_B1 = np.take_along_axis(value_BN, place, 1).max(1, keepdims=True)
        for row in np.flatnonzero((value_BN <= last_B1).sum(1) > k):
            place[row] = np.argsort(value_BN[row], kind="stable")[:k]
    else:
        place = np.broadcast_to(np.arange(k), value_BN.shape).copy()
    place.sort(1)
    return _sort(place, np.take_along_axis(value_BN, place, 1), k)


def _sort(place_BC: np.ndarray, value_BC: np.ndarray, k: int) -> Found:
    order_BJ = np.argsort(value_BC, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(place_BC, order_BJ, 1), np.take_along_axis(value_BC, order_BJ, 1)


def _merge(best: Found, row_C: np.ndarray, place_C: np.ndarray, value_C: np.ndarray) -> Found:
    """Put candidates, sorted by row and by place, into the rows' lists of the k best."""
    index_BJ, value_BJ = best
    count_B = np.bincount(row_C, minlength=len(index_BJ))
    slot_C = np.arange(len(row_C)) - np.repeat(np.cumsum(count_B) - count_B, count_B)
    touched = np.flatnonzero(count_B)
    compact_B = np.cumsum(count_B > 0) - 1
    shape = (len(touched), int(count_B.max()))
    place, value = np.zeros(shape, np.int64), np.full(shape, np.inf, np.float32)
    place[compact_B[row_C], slot_C] = place_C
    value[compact_B[row_C], slot_C] = value_C
    wide_index = np.hstack([index_BJ[touched], place])
    wide_value = np.hstack([value_BJ[touched], value])
    index_BJ[touched], value_BJ[touched] = _sort(wide_index, wide_value, index_BJ.shape[1])
    return index_BJ, value_BJ
