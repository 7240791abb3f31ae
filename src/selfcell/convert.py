"""A file of cells as a store of this project, and a store as h5ad again.

Into a store go the counts over all genes of the file, and the columns that are named; that much
comes back. Towards h5ad no more than a block of cells is held in memory; towards a store, the
counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from tqdm import tqdm

from selfcell import job
from selfcell.data import contract, own
from selfcell.data.store import Store
from selfcell.data.store_format import OBS
from selfcell.data.writer import write_store
from selfcell.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

UNKNOWN = "unknown"


def to_store(
    adata: AnnData,
    out: Path,
    columns: Mapping[str, str],
    layer: str | None = None,
    gene_ids: str = "",
) -> dict[str, Any]:
    """Write cells as a store.

    Args:
        adata: cells x genes, raw counts.
        out: folder to make.
        columns: obs column of each of `OBS`; "" or absent: "unknown" in every cell.
        layer, gene_ids: as in `api.Model.embed`.

    Returns:
        cells, genes, the columns kept and those left out.

    Raises:
        DataError: no counts, a cell without any, a gene or a cell twice, no such column.
    """
    import anndata
    import pandas as pd

    named = {role: columns.get(role, "") for role in OBS}
    spec = own.spec_of("cells", gene_ids).model_copy(update=named)
    matrix = own.Matrix.of(adata, layer, spec)
    table = own.own_table(matrix).frame
    if not adata.obs_names.is_unique:
        raise DataError("names of cells stand twice", "each once", "adata.obs_names_make_unique()")
    if len(table) != matrix.values.shape[1]:
        raise DataError("genes without Ensembl id stand twice", "unique names of genes")
    obs = pd.DataFrame({role: _values(adata, named[role]) for role in OBS}, index=adata.obs_names)
    title = "read cells"
    with tqdm(total=len(obs), desc=title, unit="cell", mininterval=1, delay=2) as bar:
        blocks = []
        for _, block in matrix.counts():
            blocks.append(block)
            bar.update(block.shape[0])
    counts = sparse.vstack(blocks, format="csr")
    obs["total_counts"] = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    if len(empty := np.flatnonzero(obs["total_counts"] == 0)):
        raise DataError(
            f"{len(empty)} cells hold no counts (first: {obs.index[empty[0]]})",
            "cells with at least one molecule",
            "scanpy.pp.filter_cells(adata, min_counts=1)",
        )
    names = list(table.index)
    cells = anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=pd.Index(names)))
    write_store(cells, pd.DataFrame({"gene_id": names, "symbol": list(table["symbol"])}), out)
    kept = {role: column for role, column in named.items() if column}
    left = sorted({*map(str, adata.obs.columns)} - {*kept.values()})
    return {"cells": len(obs), "genes": len(names), "columns": kept, "columns_left_out": left}


def _values(adata: AnnData, column: str) -> Any:
    if not column:
        return UNKNOWN
    text = contract.labels(adata, column)
    return np.where(text == "", UNKNOWN, text)


def to_h5ad(store: Path, out: Path, rows: int = own.BLOCK) -> dict[str, Any]:
    """Write a store as h5ad, by blocks of cells.

    Args:
        store: its folder; every file of it is compared with its sum first.
        out: file to write. rows: cells of a block; no result depends on it.

    Returns:
        cells and genes.

    Raises:
        StoreError: no store, or a damaged one.
    """
    import anndata
    import h5py

    opened = Store.open(store)
    obs = opened.obs.assign(total_counts=opened.total_N).rename_axis(None)
    var = opened.genes.set_index("gene_id").rename_axis(None)
    with job.atomic(out) as temporary:
        anndata.AnnData(obs=obs, var=var).write_h5ad(temporary)
        with (
            h5py.File(temporary, "r+") as file,
            tqdm(total=len(obs), desc="write cells", unit="cell", mininterval=1, delay=2) as bar,
        ):
            if "protein.parquet" in opened.manifest["files"]:
                anndata.io.write_elem(file.require_group("obsm"), "protein", opened.protein)
            for start in range(0, len(obs), rows):
                block = opened.rows(np.arange(start, min(start + rows, len(obs))))
                if start:
                    anndata.io.sparse_dataset(file["X"]).append(block)
                else:
                    anndata.io.write_elem(file, "X", block, dataset_kwargs={"compression": "gzip"})
                bar.update(block.shape[0])
    return {"cells": len(obs), "genes": len(var)}
