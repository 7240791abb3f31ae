"""Statistics of genes in one pass over cells, and the most variable genes by them.

Nothing of a cell is kept: memory is a few numbers a gene, whatever the number of cells.

Shape suffixes: B cells of a block, F genes of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from selfcell.data import tally

if TYPE_CHECKING:
    import pandas as pd

SCALE = 1e4
BIN_EDGES = np.arange(10, 105, 5)  # percentiles of the genes' means
NORMAL_QUARTILE = 0.6744897501960817  # median absolute deviation of a standard normal


class Moments:
    """Sums over cells, by gene.

    Attributes:
        n: cells that were added.
        sums_F4: cells that a gene is seen in, its counts, its counts scaled to 10,000 a cell, and
            the squares of those.
    """

    def __init__(self, n_genes: int) -> None:
        self.n, self.sums_F4 = 0, np.zeros((n_genes, 4))

    def add(self, block: sparse.csr_matrix, total_B: np.ndarray, keep_B: np.ndarray) -> None:
        """Add those of (B, F) counts that are to be kept; each cell's total is over all genes, > 0
        in kept ones."""
        scale_B = np.divide(SCALE, total_B, out=np.zeros(len(total_B)), where=keep_B)
        tally.add(block, scale_B, self.sums_F4)
        self.n += int(keep_B.sum())

    @property
    def cells_F(self) -> np.ndarray:
        """Cells in which a gene has counts."""
        return self.sums_F4[:, 0].astype(np.int64)

    @property
    def counts_F(self) -> np.ndarray:
        """Counts of a gene."""
        return self.sums_F4[:, 1]

    def mean_F(self) -> np.ndarray:
        """Mean of the scaled counts."""
        mean: np.ndarray = self.sums_F4[:, 2] / max(self.n, 1)
        return mean

    def variance_F(self) -> np.ndarray:
        """Variance (n - 1) of the scaled counts; 0 with fewer than two cells."""
        square_F = self.sums_F4[:, 3]
        centred = square_F - self.n * self.mean_F() ** 2
        # what rounding leaves of two equal numbers is no variance
        centred = np.where(centred > 1e-12 * square_F, centred, 0.0)
        variance: np.ndarray = centred / max(self.n - 1, 1)
        return variance


def most_variable(moments: Moments, gene_ids: np.ndarray, n: int) -> list[str]:
    """At most n genes of highest normalised dispersion, best first, ties by gene id.

    Fewer where fewer genes vary. Genes without counts take no part.

    Source: Zheng et al. 2017 (10x Genomics), Methods, as in scanpy's `highly_variable_genes`,
    flavour "cell_ranger", on counts scaled to 10,000 a cell.
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
    """Variance over mean, by gene, and how it stands among genes of a like mean.

    Genes of a like mean are as many in every bin, and the middle and spread of a bin are its
    median and median absolute deviation: in bins of equal width, a marker that few cells express
    highly (insulin in islets) stands alone with its like and is passed over.

    Columns mean, dispersion, normalised. A gene without variance stands nowhere (NaN); one at its
    bin's median stands at 0, and off it, in a bin without spread, infinitely far.
    """
    import pandas as pd

    ratio = np.divide(variance_F, mean_F, out=np.zeros(len(mean_F)), where=mean_F > 0)
    table = pd.DataFrame({"mean": mean_F, "dispersion": np.where(ratio == 0, np.nan, ratio)})
    edges = np.unique([-np.inf, *np.percentile(mean_F, BIN_EDGES), np.inf])
    bins = pd.cut(table["mean"], bins=edges, labels=False)
    far = table["dispersion"] - table["dispersion"].groupby(bins).transform("median")
    spread = far.abs().groupby(bins).transform("median") / NORMAL_QUARTILE
    return table.assign(normalised=(far / spread).mask(far == 0, 0.0))
