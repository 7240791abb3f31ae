"""Cells in the form they are stored in, some thousands at a time, in memory.

Shape suffixes: N cells, V values, G genes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from selfcell.data import kernels
from selfcell.data.contract import LARGEST
from selfcell.data.store_format import OBS
from selfcell.errors import DataError
from selfcell.keys import derive

if TYPE_CHECKING:
    from anndata import AnnData

PROTEIN = "protein:"  # before the names of proteins among the columns of `about`


@dataclass(frozen=True)
class Block:
    """Compact cells.

    Attributes:
        indptr: (N + 1) int64, from 0: where each cell's values start.
        indices: (V,) uint16 or uint32 gene numbers, ascending within a cell.
        counts: (V,) uint8, those above 255 as 255.
        overflow_position: int64 places of those in the block, ascending.
        overflow_value: uint32, what they are.
        about: N rows: cell (id), the columns of `OBS`, total, key, and protein:<name> columns.
    """

    indptr: np.ndarray
    indices: np.ndarray
    counts: np.ndarray
    overflow_position: np.ndarray
    overflow_value: np.ndarray
    about: pa.Table

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def key_N(self) -> np.ndarray:
        """Int64 identifiers of the cells."""
        return self.about["key"].to_numpy()

    def take(self, index: np.ndarray) -> Block:
        """The cells at these positions, in that order."""
        start, stop = self.indptr[index], self.indptr[index + 1]
        indptr = np.concatenate([[0], np.cumsum(stop - start)])
        indices = np.empty(indptr[-1], dtype=self.indices.dtype)
        counts = np.empty(indptr[-1], dtype=np.uint8)
        place = np.arange(len(index))
        kernels.take(self.indices, self.counts, start, stop, place, indptr, indices, counts)
        # A large count moves with its cell; cells change order, so the list is sorted anew.
        owner = np.searchsorted(self.indptr, self.overflow_position, side="right") - 1
        new = np.full(len(self), -1, dtype=np.int64)
        new[index] = place
        kept = new[owner] >= 0
        owner, position = owner[kept], self.overflow_position[kept]
        position = position - self.indptr[owner] + indptr[new[owner]]
        order = np.argsort(position)
        about = self.about.take(pa.array(index))
        return Block(
            indptr, indices, counts, position[order], self.overflow_value[kept][order], about
        )

    def cut(self, first: int, last: int) -> Block:
        """The cells from `first` to `last - 1`; shares memory."""
        a, b = int(self.indptr[first]), int(self.indptr[last])
        low, high = np.searchsorted(self.overflow_position, [a, b])
        return Block(
            self.indptr[first : last + 1] - a,
            self.indices[a:b],
            self.counts[a:b],
            self.overflow_position[low:high] - a,
            self.overflow_value[low:high],
            self.about.slice(first, last - first),
        )


@dataclass(frozen=True)
class Columns:
    """How a file's genes become the vocabulary's.

    Attributes:
        names: of the file's genes, in its order.
        place: int64 column of each in the vocabulary, -1 for one that is not in it.
        n_genes: of the vocabulary.
    """

    names: pd.Index
    place: np.ndarray
    n_genes: int

    @classmethod
    def of(cls, names: pd.Index, gene_ids: np.ndarray) -> Columns:
        """Match by gene id. Raises DataError for a gene that stands twice."""
        if len(set(gene_ids)) != len(gene_ids):
            raise DataError("the vocabulary names a gene twice", "each gene once")
        if names.has_duplicates:
            raise DataError("a gene stands twice among the cells' genes", "each gene once")
        column = {str(gene): i for i, gene in enumerate(gene_ids)}
        place = np.array([column.get(str(gene), -1) for gene in names], dtype=np.int64)
        return cls(names, place, len(gene_ids))

    @property
    def measured_G(self) -> np.ndarray:
        """Bool, genes of the vocabulary that the file has."""
        measured = np.zeros(self.n_genes, dtype=bool)
        measured[self.place[self.place >= 0]] = True
        return measured

    def narrow(self, cells: AnnData) -> Block:
        """Compact cells of this file. Raises DataError: values that are no counts, other genes,
        a total that is zero or below the cell's own counts."""
        if not cells.var_names.equals(self.names):
            raise DataError(
                f"cell {cells.obs_names[0]} and those after it come with other genes",
                "the same genes in the same order throughout",
                "align the parts first: anndata.concat(parts, join='outer', fill_value=0)",
            )
        matrix, place = self._ascending(cells.X)
        n, most = matrix.shape[0], matrix.nnz
        indices = np.empty(most, dtype=np.uint16 if self.n_genes < 2**16 else np.uint32)
        counts = np.empty(most, dtype=np.uint8)
        at, value = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.uint32)
        length, low_N = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.float64)
        kept, over, wrong = kernels.narrow(
            matrix.indptr, matrix.indices, matrix.data, place, float(LARGEST),
            indices, counts, at, value, length, low_N,
        )  # fmt: skip
        if wrong >= 0:
            cell = int(np.searchsorted(matrix.indptr, wrong, side="right")) - 1
            raise DataError(
                f"cell {cells.obs_names[cell]} holds the value {matrix.data[wrong]}",
                f"counts: whole numbers in [0, {LARGEST})",
            )
        indptr = np.concatenate([[0], np.cumsum(length)])
        about = _about(cells, low_N)
        return Block(
            indptr, indices[:kept], counts[:kept], at[:over].copy(), value[:over].copy(), about
        )

    def _ascending(self, counts: object) -> tuple[sparse.csr_matrix, np.ndarray]:
        """Rows without repeats whose kept columns ascend, and the place of each column."""
        matrix = sparse.csr_matrix(counts)
        if matrix.data.dtype != np.float32:
            matrix = matrix.astype(np.float64)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        kept = self.place[self.place >= 0]
        if (np.diff(kept) > 0).all():
            return matrix, self.place
        aside = np.where(self.place < 0, self.n_genes, self.place)
        shape = (matrix.shape[0], self.n_genes + 1)
        moved = sparse.csr_matrix((matrix.data, aside[matrix.indices], matrix.indptr), shape=shape)
        moved.has_sorted_indices = False
        # Columns that go pile up behind the last: they repeat, and are never read.
        moved.sort_indices()
        return moved, np.append(np.arange(self.n_genes), -1)


def _about(cells: AnnData, low_N: np.ndarray) -> pa.Table:
    """What is kept of each cell beside its counts, checked."""
    total = cells.obs["total_counts"].to_numpy()
    wrong = np.flatnonzero(~((total > 0) & (total >= low_N) & (total < 2**32)))
    if wrong.size:
        cell, n = cells.obs_names[int(wrong[0])], total[wrong[0]]
        raise DataError(
            f"cell {cell} has total_counts {n} and {low_N[wrong[0]]:.0f} counts",
            "a total > 0, at least the sum of the cell's counts",
            "drop empty cells in quality control",
        )
    names = cells.obs_names.astype(str)
    columns = {"cell": pa.array(names, pa.string())}
    for name in OBS:
        columns[name] = pa.array(cells.obs[name].astype(str), pa.string())
    columns["total"] = pa.array(total.astype(np.uint32))
    columns["key"] = pa.array([derive("cell", cell) for cell in names], pa.int64())
    if "protein" in cells.obsm:
        for name, counts in pd.DataFrame(cells.obsm["protein"]).items():
            columns[f"{PROTEIN}{name}"] = pa.array(counts.to_numpy().astype(np.int64))
    return pa.table(columns)
