"""Unlabelled cells by position, from stores or from memory, and their normalisation.

Shape suffixes: N cells, G genes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import sparse

from selfcell.data.store import Store, in_order
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


def scale(total_N: np.ndarray) -> np.ndarray:
    """(N,) float32 factors that bring cells of these totals to 10,000 counts.

    Raises DataError for a cell whose total is not above zero.
    """
    empty = np.flatnonzero(~(np.asarray(total_N) > 0))
    if empty.size:
        raise DataError(
            f"{empty.size} cells without counts (first: row {empty[0]})",
            "a total above 0 in every cell",
            "drop empty cells in quality control",
        )
    return (SCALE / np.asarray(total_N, dtype=np.float64)).astype(np.float32)


def log_normalise(counts: sparse.csr_matrix, total_N: np.ndarray) -> sparse.csr_matrix:
    """(N, G) float32 log1p of counts scaled to 10,000 a cell over all its genes.

    Raises DataError for a cell whose total is not above zero.
    """
    data = np.log1p(counts.data * np.repeat(scale(total_N), np.diff(counts.indptr)))
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
        key_N, total_N: as in `Source`.
    """

    parts: tuple[Store, ...]
    part_N: np.ndarray
    row_N: np.ndarray
    measured_G: np.ndarray
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
        return cls(
            parts=stores,
            part_N=np.repeat(np.arange(len(picks), dtype=np.int16), [len(r) for _, r in picks]),
            row_N=np.concatenate([np.asarray(rows, dtype=np.int64) for _, rows in picks]),
            measured_G=np.logical_and.reduce([store.measured_G for store in stores]),
            key_N=np.concatenate([store.key_N[rows] for store, rows in picks]),
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

    def __len__(self) -> int:
        return len(self.row_N)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Of the cells."""
        return tuple(self.column("cell"))

    def column(self, name: str) -> np.ndarray:
        """(N,) text: a column of the stores' `obs`, or "cell", their ids."""
        value_N = np.empty(len(self), dtype=object)
        for i, store in enumerate(self.parts):
            own = self.part_N == i
            column = store.obs.index if name == "cell" else store.obs[name]
            value_N[own] = column.to_numpy()[self.row_N[own]]
        return value_N

    def locate(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shard (counted over all stores) of the cells at `index`, and their place there."""
        part_N, row_N = self.part_N[index], self.row_N[index]
        shards = [len(store.shards) for store in self.parts]
        size_N = np.array([store.shard_cells for store in self.parts])[part_N]
        first_N = (np.cumsum(shards) - shards)[part_N]
        return first_N + row_N // size_N, row_N % size_N

    def rows(self, index: np.ndarray) -> sparse.csr_matrix:
        """(len(index), G) float32 counts of the cells at `index`, in that order."""
        shards = [shard for store in self.parts for shard in store.shards]
        counts = in_order(shards, *self.locate(index), self.parts[0].n_genes)
        if len(self.parts) > 1:
            counts.data[~self.measured_G[counts.indices]] = 0
            counts.eliminate_zeros()
        return counts

    def want(self, index: np.ndarray) -> None:
        """Have the system read the cells at `index` (ascending) from disk, beside what runs."""
        shards = [shard for store in self.parts for shard in store.shards]
        shard_N, row_N = self.locate(index)
        for place in np.split(np.arange(len(index)), np.flatnonzero(np.diff(shard_N)) + 1):
            if len(place):
                shards[shard_N[place[0]]].want(int(row_N[place[0]]), int(row_N[place[-1]]) + 1)
