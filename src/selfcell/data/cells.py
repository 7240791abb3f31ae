"""Unlabelled cells by position, from stores or from memory, and their normalisation.

Shape suffixes: N cells, G genes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from selfcell.data.store import Store
from selfcell.errors import DataError, StoreError
from selfcell.keys import derive

SCALE = 1e4


class Source(Protocol):
    """Cells that a loader can read: ids, noise keys, totals, and counts by position."""

    @property
    def key_N(self) -> np.ndarray:
        """Int64 identifier of each cell in [0, 2**63), derived from its id alone."""
        ...

    @property
    def total_N(self) -> np.ndarray:
        """Counts of each cell over all its genes."""
        ...

    def rows(self, index: np.ndarray) -> sparse.csr_matrix:
        """(len(index), G) float32 counts of the cells at `index`, in that order."""
        ...


def cell_keys(ids: Iterable[str]) -> np.ndarray:
    """(N,) int64 identifiers of cells for `selfcell.rng.Noise`."""
    return np.array([derive("cell", cell) for cell in ids], dtype=np.int64)


def log_normalise(counts: sparse.csr_matrix, total_N: np.ndarray) -> sparse.csr_matrix:
    """(N, G) float32 log1p of counts scaled to 10,000 a cell over all its genes.

    Raises DataError for a cell whose total is not above zero.
    """
    empty = np.flatnonzero(~(np.asarray(total_N) > 0))
    if empty.size:
        raise DataError(
            f"{empty.size} cells without counts (first: row {empty[0]})",
            "a total above 0 in every cell",
            "drop empty cells in quality control",
        )
    scale_N = (SCALE / np.asarray(total_N, dtype=np.float64)).astype(np.float32)
    data = np.log1p(counts.data * np.repeat(scale_N, np.diff(counts.indptr)))
    return sparse.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)


@dataclass(frozen=True)
class MemoryCells:
    """Cells held in memory. `counts` (N, G) float32 CSR; other attributes as in `Source`."""

    counts: sparse.csr_matrix
    total_N: np.ndarray
    key_N: np.ndarray

    def rows(self, index: np.ndarray) -> sparse.csr_matrix:
        """(len(index), G) float32 counts of the cells at `index`."""
        return self.counts[index]


@dataclass(frozen=True)
class StoreCells:
    """Cells of several stores of one vocabulary, read when asked for.

    Attributes:
        parts: the stores.
        part_N, row_N: store and row of each cell.
        measured_G: genes that every store measured. The others read as 0 in every cell, lest a
            gene tell the data sets apart by being absent from one of them.
        ids: of the cells.
        key_N, total_N: as in `Source`.
    """

    parts: tuple[Store, ...]
    part_N: np.ndarray
    row_N: np.ndarray
    measured_G: np.ndarray
    ids: tuple[str, ...]
    key_N: np.ndarray
    total_N: np.ndarray

    @classmethod
    def of(cls, picks: Sequence[tuple[Store, np.ndarray]]) -> StoreCells:
        """The cells at the given positions of the given stores, in that order.

        Raises StoreError where the stores' vocabularies differ.
        """
        stores = tuple(store for store, _ in picks)
        if len({store.vocabulary for store in stores}) != 1:
            raise StoreError(
                "stores of different vocabularies",
                "one vocabulary for a study",
                "make the stores of a study again",
            )
        ids = tuple(str(cell) for store, rows in picks for cell in store.obs.index[rows])
        return cls(
            parts=stores,
            part_N=np.repeat(np.arange(len(picks)), [len(rows) for _, rows in picks]),
            row_N=np.concatenate([np.asarray(rows, dtype=np.int64) for _, rows in picks]),
            measured_G=np.logical_and.reduce([store.measured_G for store in stores]),
            ids=ids,
            key_N=cell_keys(ids),
            total_N=np.concatenate([store.total_N[rows] for store, rows in picks]),
        )

    @classmethod
    def named(cls, store: Store, ids: Sequence[str]) -> StoreCells:
        """The cells of one store that have these ids, in this order. Raises DataError."""
        rows = store.obs.index.get_indexer(list(ids))
        if (rows < 0).any():
            missing = ids[int(np.flatnonzero(rows < 0)[0])]
            raise DataError(f"{store.path} holds no cell {missing!r}", "cells of this data set")
        return cls.of([(store, rows)])

    def column(self, name: str) -> np.ndarray:
        """(N,) text: a column of the stores' `obs`."""
        value_N = np.empty(len(self.ids), dtype=object)
        for i, store in enumerate(self.parts):
            own = self.part_N == i
            value_N[own] = store.obs[name].to_numpy()[self.row_N[own]]
        return value_N

    def rows(self, index: np.ndarray) -> sparse.csr_matrix:
        """(len(index), G) float32 counts of the cells at `index`, in that order."""
        part, row = self.part_N[index], self.row_N[index]
        if len(self.parts) == 1:
            return self.parts[0].rows(row)
        order = np.argsort(part, kind="stable")
        blocks = [store.rows(row[part == i]) for i, store in enumerate(self.parts)]
        counts = sparse.vstack(blocks, format="csr")[np.argsort(order, kind="stable")]
        counts.data[~self.measured_G[counts.indices]] = 0
        counts.eliminate_zeros()
        return counts
