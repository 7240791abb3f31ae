"""A file of cells as a store of this project, and a store as h5ad again.

Into a store go the counts over all genes of the file, and the columns that are named; that much
comes back. Both ways no more than a block of cells is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from selfcell import job
from selfcell.data import contract, own
from selfcell.data.store import Store
from selfcell.data.store_format import OBS
from selfcell.data.writer import write_blocks
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
    names = list(table.index)
    var = pd.DataFrame(index=pd.Index(names))

    def blocks() -> Iterator[AnnData]:
        for start, block in matrix.counted("convert"):
            part = obs.iloc[start : start + block.shape[0]]
            total_N = np.asarray(block.sum(axis=1, dtype=np.float64)).ravel()
            _require_molecules(part.index, total_N)
            yield anndata.AnnData(block, obs=part.assign(total_counts=total_N), var=var)

    vocabulary = pd.DataFrame({"gene_id": names, "symbol": list(table["symbol"])})
    write_blocks(blocks(), vocabulary, out)
    kept = {role: column for role, column in named.items() if column}
    left = sorted({*map(str, adata.obs.columns)} - {*kept.values()})
    return {"cells": len(obs), "genes": len(names), "columns": kept, "columns_left_out": left}


def _require_molecules(names: Any, total_N: np.ndarray) -> None:
    empty = np.flatnonzero(total_N == 0)
    if empty.size:
        raise DataError(
            f"cell {names[empty[0]]} holds no counts",
            "cells with at least one molecule",
            "scanpy.pp.filter_cells(adata, min_counts=1)",
        )


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
