"""Exact nearest neighbours by matrix products, in blocks that fit the processor's cache.

Shape suffixes: N reference cells, M query cells, D dimensions, J neighbours.
"""

from __future__ import annotations

import numpy as np

QUERIES, REFERENCES = 1024, 8192
"""Block sizes: one block of float32 distances takes 32 MiB, whatever the number of cells."""


def nearest(
    query_MD: np.ndarray, reference_ND: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest reference cells of each query cell, nearest first.

    Exact search in float32 on embeddings centred on the reference cells; equal distances go to
    the lower index.

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
    index_MJ = np.empty((len(query_MD), k), np.int64)
    square_MJ = np.empty((len(query_MD), k), np.float32)
    blocks = range(0, len(reference_ND), REFERENCES)
    norms = [_square(_block(reference_ND, start, centre_D)) for start in blocks]
    for top in range(0, len(query_MD), QUERIES):
        rows = slice(top, top + QUERIES)
        query_BD = query_MD[rows].astype(np.float32) - centre_D
        found: tuple[np.ndarray, np.ndarray] | None = None
        for start, norm_N in zip(blocks, norms, strict=True):
            reference_BD = _block(reference_ND, start, centre_D)
            distance_BN = norm_N - 2.0 * (query_BD @ reference_BD.T)
            place, value = _smallest(distance_BN, min(k, len(norm_N)))
            place += start
            found = (place, value) if found is None else _merge(found, (place, value), k)
        assert found is not None
        index_MJ[rows] = found[0]
        square_MJ[rows] = np.maximum(found[1] + _square(query_BD)[:, None], 0.0)
    return index_MJ, square_MJ


def _block(reference_ND: np.ndarray, start: int, centre_D: np.ndarray) -> np.ndarray:
    block = reference_ND[start : start + REFERENCES].astype(np.float32)
    block -= centre_D
    return block


def _square(x_ND: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", x_ND, x_ND)


def _smallest(distance_BN: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and values of the k smallest of each row in rising order, ties by place."""
    if k == 1:
        place = distance_BN.argmin(1)[:, None]
        return place, np.take_along_axis(distance_BN, place, 1)
    if k < distance_BN.shape[1]:
        place = np.argpartition(distance_BN, k - 1, 1)[:, :k]
        last_B1 = np.take_along_axis(distance_BN, place, 1).max(1, keepdims=True)
        for row in np.flatnonzero((distance_BN <= last_B1).sum(1) > k):
            place[row] = np.argsort(distance_BN[row], kind="stable")[:k]
    else:
        place = np.broadcast_to(np.arange(k), distance_BN.shape).copy()
    place.sort(1)
    value = np.take_along_axis(distance_BN, place, 1)
    order = np.argsort(value, axis=1, kind="stable")
    return np.take_along_axis(place, order, 1), np.take_along_axis(value, order, 1)


def _merge(
    one: tuple[np.ndarray, np.ndarray], two: tuple[np.ndarray, np.ndarray], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k smallest of two sorted lists a row; the first list has the lower places."""
    place, value = (np.concatenate(pair, 1) for pair in zip(one, two, strict=True))
    order = np.argsort(value, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(place, order, 1), np.take_along_axis(value, order, 1)
