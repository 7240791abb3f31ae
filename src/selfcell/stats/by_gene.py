"""Reconstruction by gene and by gene programme, averaged over an arm's runs.

Shape suffixes: A arms, G genes, P programmes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

ARM = ["target", "corpus", "method", "init", "mode", "readout"]
GENES = [*ARM, "gene_id", "symbol", "explained", "mse", "variance", "n_runs"]
PROGRAMMES = [*ARM, "programme", "explained", "n_genes"]
LEAST_GENES = 5


def genes(paths: Iterable[Path], symbols: Mapping[str, str]) -> pd.DataFrame:
    """Columns `GENES`: means over the seeds and draws that ended "ok", one row an arm and gene.

    Args:
        paths: genes.parquet of every run. symbols: by gene id.
    """
    parts = [pd.read_parquet(path) for path in paths]
    frame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    grouped = frame[frame.status == "ok"].groupby([*ARM, "gene_id"], sort=True)
    means = grouped[["explained", "mse", "variance"]].mean()
    means["n_runs"] = grouped.size().astype(np.int16)
    means = means.reset_index()
    return means.assign(symbol=means["gene_id"].map(symbols))[GENES]


def programmes(by_gene: pd.DataFrame, sets: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Columns `PROGRAMMES`: explained variance of each programme's genes together, weighted by
    their variance, for programmes of which at least 5 genes were scored and vary.

    Args:
        by_gene: of `genes`. sets: gene sets (symbols) by name; none gives no row.
    """
    found: list[pd.DataFrame] = []
    for _, own in by_gene[by_gene.variance > 0].groupby("target", sort=True):
        tables = {
            name: own.pivot_table(name, ARM, "symbol", dropna=False).dropna(how="all")
            for name in ("explained", "variance")
        }
        column = {str(symbol): place for place, symbol in enumerate(tables["variance"].columns)}
        left_AG = (tables["variance"] * (1 - tables["explained"])).to_numpy(float)
        whole_AG = tables["variance"].to_numpy(float)
        for name, members in sets.items():
            at = sorted({column[gene] for gene in members if gene in column})
            if len(at) >= LEAST_GENES:
                explained_A = 1 - np.nansum(left_AG[:, at], 1) / np.nansum(whole_AG[:, at], 1)
                row = tables["variance"].index.to_frame(index=False)
                found.append(row.assign(programme=name, explained=explained_A, n_genes=len(at)))
    empty = [pd.DataFrame(columns=PROGRAMMES)]
    return pd.concat(found or empty, ignore_index=True)[PROGRAMMES]
