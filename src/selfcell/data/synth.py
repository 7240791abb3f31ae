"""Synthetic cells whose gene programmes are known, where programme masks must matter.

Programmes are of two kinds. Identity programmes follow the cell's type together. Nuisance
programmes (think of cell cycle or stress) vary more, each on its own. A gene hidden alone can be
told from its programme's other genes, so random masks teach an encoder the nuisance, of which
there is more than a small code can hold. With whole programmes hidden, only identity can be told
from what is left, so programme masks teach the type: an advantage that is lost when the
programmes are permuted.

Shape suffixes: N cells, G genes, P programmes, T types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from selfcell.keys import generator


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Cells and what made them.

    Attributes:
        count_NG: raw counts, float32 CSR.
        symbols: gene names, in column order.
        programmes: gene sets by name; every gene is in exactly one.
        label_N: int64 type of each cell.
    """

    count_NG: sparse.csr_matrix
    symbols: Sequence[str]
    programmes: Mapping[str, Sequence[str]]
    label_N: np.ndarray

    def log_expression(self) -> np.ndarray:
        """(N, G) float32 log1p of counts scaled to 10,000 a cell."""
        count_NG = self.count_NG.toarray()
        return np.log1p(count_NG * (1e4 / count_NG.sum(1, keepdims=True))).astype(np.float32)


def synthesise(
    cells: int = 2000,
    identity: int = 24,
    nuisance: int = 36,
    genes_each: int = 10,
    types: int = 6,
    signal: float = 0.7,
    own: float = 1.5,
    depth: float = 6000.0,
    seed: int = 0,
) -> Synthetic:
    """Draw cells.

    Args:
        identity, nuisance: numbers of programmes of each kind, of `genes_each` genes.
        signal: standard deviation over types of an identity programme's activity, in natural-log
            units.
        own: standard deviation over cells of a nuisance programme's activity, in the same units.
        depth: mean number of counts of a cell.

    Raises:
        ValueError: a number that is not positive.
    """
    programmes = identity + nuisance
    sizes = {"cells": cells, "programmes": programmes, "genes_each": genes_each, "types": types}
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} {value}: at least 1 is needed")
    rng = generator("synthetic", seed)
    genes = programmes * genes_each
    member_G = np.repeat(np.arange(programmes), genes_each)[rng.permutation(genes)]
    label_N = rng.integers(0, types, cells)
    type_TP = rng.normal(0.0, signal, (types, identity))
    active_NP = np.concatenate([type_TP[label_N], rng.normal(0.0, own, (cells, nuisance))], axis=1)
    base_G = rng.normal(0.0, 1.0, genes)
    rate_NG = np.exp(base_G + active_NP[:, member_G])
    depth_N1 = depth * rng.lognormal(-0.02, 0.2, (cells, 1))
    count_NG = rng.poisson(rate_NG / rate_NG.sum(1, keepdims=True) * depth_N1)
    count_NG[count_NG.sum(1) == 0, 0] = 1  # a cell holds at least one molecule
    symbols = [f"G{gene:05d}" for gene in range(genes)]
    members = {
        f"{'IDENTITY' if p < identity else 'NUISANCE'}_{p:03d}": [
            symbols[gene] for gene in np.flatnonzero(member_G == p)
        ]
        for p in range(programmes)
    }
    return Synthetic(sparse.csr_matrix(count_NG.astype(np.float32)), symbols, members, label_N)
