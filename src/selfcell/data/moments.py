"""Statistics of genes in one pass over cells, and the most variable genes by them.

Nothing of a cell is kept: memory is a few numbers a gene, whatever the number of cells.

Shape suffixes: B cells of a block, F genes of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    import pandas as pd

SCALE = 1e4
BINS = 20


@dataclass
class Moments:
    """Sums over cells, by gene.

    Attributes:
        n: cells that were added.
        cells_F: cells in which a gene has counts.
        counts_F: counts.
        sum_F, square_F: sums of counts scaled to 10,000 a cell, and of their squares.
    """

    n: int
    cells_F: np.ndarray
    counts_F: np.ndarray
    sum_F: np.ndarray
    square_F: np.ndarray

    @classmethod
    def of(cls, n_genes: int) -> Self:
        """Of no cells yet."""
        return cls(0, np.zeros(n_genes, np.int64), *(np.zeros(n_genes) for _ in range(3)))

    def add(self, block: sparse.csr_matrix, total_B: np.ndarray) -> None:
        """Add cells: (B, F) counts, and each cell's counts over all genes, > 0."""
        self.n += block.shape[0]
        self.cells_F += np.bincount(block.indices, minlength=len(self.cells_F))
        value = block.data.astype(np.float64)
        scale_B = SCALE / total_B
        by_cell = np.column_stack([np.ones(len(scale_B)), scale_B])
        parts = sparse.csr_matrix((value, block.indices, block.indptr), shape=block.shape)
        counts_F, sum_F = (parts.T @ by_cell).T
        np.square(value, out=value)
        self.counts_F += counts_F
        self.sum_F += sum_F
        self.square_F += parts.T @ (scale_B**2)

    def mean_F(self) -> np.ndarray:
        """Mean of the scaled counts."""
        mean: np.ndarray = self.sum_F / max(self.n, 1)
        return mean

    def variance_F(self) -> np.ndarray:
        """Variance (n - 1) of the scaled counts; 0 with fewer than two cells."""
        centred = self.square_F - self.n * self.mean_F() ** 2
        # what rounding leaves of two equal numbers is no variance
        centred = np.where(centred > 1e-12 * self.square_F, centred, 0.0)
        variance: np.ndarray = centred / max(self.n - 1, 1)
        return variance


def most_variable(moments: Moments, gene_ids: np.ndarray, n: int) -> list[str]:
    """At most n genes of highest normalised dispersion, best first, ties by gene id.

    Fewer where fewer genes vary. Genes without counts take no part.

    Source: Satija et al. 2015 (Seurat), as in scanpy's `highly_variable_genes`, flavour "seurat".
    Differs from the paper: nothing; ties are broken, where scanpy would take all of them.
    """
    seen = np.flatnonzero(moments.cells_F)
    if not n or len(seen) < 2:
        return []
    table = dispersions(moments.mean_F()[seen], moments.variance_F()[seen])
    table = table.assign(gene=gene_ids[seen]).dropna(subset="normalised")
    table = table.sort_values(["normalised", "gene"], ascending=[False, True])
    return [str(gene) for gene in table["gene"].iloc[:n]]


def dispersions(mean_F: np.ndarray, variance_F: np.ndarray) -> pd.DataFrame:
    """Log of variance over mean, by gene, and how it stands among genes of a like mean.

    Columns mean (log1p), dispersion, normalised. In a bin of one gene that gene stands at 1; a
    gene without variance stands nowhere (NaN).
    """
    import pandas as pd

    mean = np.where(mean_F == 0, 1e-12, mean_F)
    ratio = variance_F / mean
    dispersion = np.log(np.where(ratio == 0, np.nan, ratio))
    table = pd.DataFrame({"mean": np.log1p(mean), "dispersion": dispersion})
    bins = table.groupby(pd.cut(table["mean"], bins=BINS), observed=True)["dispersion"]
    middle, spread = bins.transform("mean"), bins.transform("std")
    lonely = spread.isna()
    middle, spread = middle.mask(lonely, 0.0), spread.mask(lonely, middle)
    return table.assign(normalised=(table["dispersion"] - middle) / spread)
