"""Cells of a study in the genes of a ready model, which are not the study's.

Shape suffixes: N cells, F genes of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from selfcell.data import own
from selfcell.data.store_format import OBS
from selfcell.data.writer import write_blocks
from selfcell.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy import sparse


@dataclass(frozen=True)
class Genes:
    """What a model takes in.

    Attributes:
        ids, symbols: in the order of its input.
        by_own: counts are scaled by a cell's sum over these genes, not over all of its file.
    """

    ids: Sequence[str]
    symbols: Sequence[str]
    by_own: bool


def align(matrix: own.Matrix, obs: pd.DataFrame, genes: Genes, out: Path) -> dict[str, Any]:
    """Write the cells that passed quality control as a store of a model's genes.

    Genes are found in all of the file's, as `Model.embed` finds them; those that the file lacks
    are 0.

    Args:
        matrix: counts of the file, as rule `download` left it.
        obs: of the cells that passed, in the file's order: the columns of `OBS` and
            `total_counts`, indexed by cell id (data set, colon, name in the file).
        out: folder of the store.

    Returns:
        What became of the genes: genes, found, share, missing (the first ten); and counts_kept,
        the share in [0, 1] of the cells' counts that stands in the model's genes.

    Raises:
        DataError: under half of the model's genes are found, or a cell has no count in them and
            is scaled by them.
    """
    import anndata

    found = own.align(matrix, genes.ids, genes.symbols)
    found.require(matrix)
    there = np.unique(found.there_F[found.there_F >= 0])
    var, kept = pd.DataFrame(index=pd.Index(genes.ids).take(there)), 0.0

    def parts() -> Iterator[AnnData]:
        nonlocal kept
        for ids, block in _passed(matrix, obs):
            seen = found.apply(block)
            inside_N = np.asarray(seen.sum(axis=1, dtype=np.float64)).ravel()
            kept += float(inside_N.sum())
            part = obs.loc[ids, [*OBS, "total_counts"]]
            if genes.by_own:
                _require_counts(ids, inside_N)
                part = part.assign(total_counts=inside_N)
            yield anndata.AnnData(seen[:, there], obs=part, var=var)

    vocabulary = pd.DataFrame({"gene_id": list(genes.ids), "symbol": list(genes.symbols)})
    write_blocks(parts(), vocabulary, out)
    share = kept / float(obs["total_counts"].sum())
    return {**found.report(), "counts_kept": round(share, 4)}


def _passed(matrix: own.Matrix, obs: pd.DataFrame) -> Iterator[tuple[pd.Index, sparse.csr_matrix]]:
    """Ids and counts, over all genes of the file, of the cells that passed in each block."""
    names = [f"{matrix.spec.name}:{name}" for name in matrix.names.obs_names]
    ids = pd.Index(names)
    is_kept_N = ids.isin(obs.index)
    for start, block in matrix.counted(f"align {matrix.spec.name}"):
        rows = slice(start, start + block.shape[0])
        if is_kept_N[rows].any():
            yield ids[rows][is_kept_N[rows]], block[is_kept_N[rows]]


def _require_counts(ids: pd.Index, inside_N: np.ndarray) -> None:
    empty = np.flatnonzero(inside_N == 0)
    if empty.size:
        raise DataError(
            f"cell {ids[empty[0]]} holds no counts in the model's genes",
            "at least one molecule in them: the model's input is scaled by their sum",
            "raise `quality.min_genes`, or drop such cells",
        )
