"""Cells of one data set on disk: checksummed, memory-mapped, compact. Only this module knows how.

A store is a folder. Counts of a cell stand in compressed sparse rows over the study's vocabulary:
gene numbers in 16 bits, counts in 8; a count above 255 stands in an overflow list by its position.
`total.u32` holds a cell's counts over all genes that were measured, the size factor. All numbers
are little-endian. `manifest.json` names every file with its size and sha256, and its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from selfcell import __version__, job
from selfcell.errors import DataError, StoreError, intact
from selfcell.provenance import sha256_file, short_hash

if TYPE_CHECKING:
    from anndata import AnnData

FORMAT, VERSION = "selfcell.store", 1
LARGEST = 2**24  # float32, in which counts are read, holds every whole number below
OBS = ("label", "donor", "batch", "condition")
DTYPES = {"i64": "<i8", "u32": "<u4", "u16": "<u2", "u8": "|u1"}
AGAIN = "delete the folder and run again"


def write_store(cells: AnnData, vocabulary: pd.DataFrame, path: Path | str) -> None:
    """Write cells, cut to the vocabulary, as a store; all of it or nothing.

    Args:
        cells: X counts (CSR), var_names Ensembl ids, obs with `total_counts` (counts of the cell
            over all genes of its file) and the columns of `OBS`; proteins in obsm, if any.
        vocabulary: columns gene_id and symbol, in column order. Genes that `cells` lacks are
            stored as not measured.
        path: folder to make.

    Raises:
        DataError: counts that are not whole numbers in [0, 2**24), a cell whose total is zero or
            below its own counts, unsorted or repeated genes.
    """
    gene_ids = vocabulary["gene_id"].to_numpy(dtype=str)
    if len(set(gene_ids)) != len(gene_ids):
        raise DataError("the vocabulary names a gene twice", "each gene once")
    counts, measured = _align(cells, gene_ids)
    total = cells.obs["total_counts"].to_numpy()
    _check(counts, total, cells.obs_names)
    overflow = np.flatnonzero(counts.data > 255)
    narrow = "u16" if len(gene_ids) < 2**16 else "u32"
    arrays = {
        "indptr.i64": counts.indptr,
        f"indices.{narrow}": counts.indices,
        "counts.u8": np.minimum(counts.data, 255),
        "overflow_position.i64": overflow,
        "overflow_value.u32": counts.data[overflow],
        "total.u32": total,
    }
    genes = pd.DataFrame(
        {"gene_id": gene_ids, "symbol": vocabulary["symbol"].astype(str), "measured": measured}
    )
    obs = cells.obs[list(OBS)].astype(str).rename_axis("cell").reset_index()
    with job.atomic(path) as folder:
        folder.mkdir()
        for name, values in arrays.items():
            # not `tofile`, which says nothing of the disk being full
            (folder / name).write_bytes(values.astype(DTYPES[name.rpartition(".")[2]]).data)
        genes.to_parquet(folder / "genes.parquet", index=False)
        obs.to_parquet(folder / "obs.parquet", index=False)
        if "protein" in cells.obsm:
            protein = pd.DataFrame(cells.obsm["protein"]).rename(columns=str).astype(np.int64)
            protein.to_parquet(folder / "protein.parquet", index=False)
        _write_manifest(folder, counts, gene_ids)


def _align(cells: AnnData, gene_ids: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Counts in vocabulary order, missing genes empty, and which genes were measured."""
    column = {str(gene): i for i, gene in enumerate(gene_ids)}
    if cells.var_names.has_duplicates:
        raise DataError("a gene stands twice among the cells' genes", "each gene once")
    there = np.array([column.get(str(gene), -1) for gene in cells.var_names], dtype=np.int64)
    known = np.flatnonzero(there >= 0)
    picked = sparse.coo_matrix(sparse.csr_matrix(cells.X)[:, known])
    columns = there[known][picked.col]
    shape = (cells.n_obs, len(gene_ids))
    counts = sparse.csr_matrix((picked.data, (picked.row, columns)), shape=shape)
    counts.eliminate_zeros()
    counts.sort_indices()
    measured = np.zeros(len(gene_ids), dtype=bool)
    measured[there[known]] = True
    return counts, measured


def _check(counts: sparse.csr_matrix, total: np.ndarray, names: pd.Index) -> None:
    data = counts.data
    whole = (data >= 0) & (data < LARGEST) & (data == np.floor(data))
    if not whole.all():
        at = int(np.flatnonzero(~whole)[0])
        cell = names[int(np.searchsorted(counts.indptr, at, side="right")) - 1]
        raise DataError(
            f"cell {cell} holds the value {data[at]}", f"counts: whole numbers in [0, {LARGEST})"
        )
    low = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    wrong = np.flatnonzero((total <= 0) | (total < low) | (total >= 2**32))
    if wrong.size:
        cell, n = names[int(wrong[0])], total[wrong[0]]
        raise DataError(
            f"cell {cell} has total_counts {n} and {low[wrong[0]]:.0f} counts",
            "a total > 0, at least the sum of the cell's counts",
            "drop empty cells in quality control",
        )


def _write_manifest(folder: Path, counts: sparse.csr_matrix, gene_ids: np.ndarray) -> None:
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": sha256_file(file)}
        for file in sorted(folder.iterdir())
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "created_by": f"selfcell {__version__}",
        "n_cells": int(counts.shape[0]),
        "n_genes": int(counts.shape[1]),
        "n_values": int(counts.nnz),
        "vocabulary": short_hash(gene_ids.tolist()),
        "files": files,
    }
    manifest["sha256"] = _digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _digest(manifest: Mapping[str, Any]) -> str:
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Store:
    """A store that is open for reading. Nothing is read before it is asked for.

    Attributes:
        path: the folder.
        manifest: its manifest, checked.
    """

    path: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path | str, verify: bool = True) -> Store:
        """Open a store and check every file's size and, with `verify`, its sha256.

        Raises:
            StoreError: no store, an unfinished or foreign one, one made by a newer version, or a
                file that is missing or differs by as little as one bit.
        """
        path = Path(path)
        manifest = _read_manifest(path)
        for name, file in manifest["files"].items():
            there = path / name
            if not there.is_file():
                raise StoreError(f"store {path} lacks {name}", remedy=AGAIN)
            if there.stat().st_size != file["bytes"]:
                got = f"{there} has {there.stat().st_size} bytes"
                raise StoreError(got, f"{file['bytes']}", AGAIN)
            if verify and (found := sha256_file(there)) != file["sha256"]:
                raise StoreError(f"{there} has sha256 {found}", file["sha256"], AGAIN)
        return cls(path, manifest)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.manifest["n_cells"])

    @property
    def vocabulary(self) -> str:
        """Hash of the gene ids in order; equal hashes mean the same columns."""
        return str(self.manifest["vocabulary"])

    @cached_property
    def obs(self) -> pd.DataFrame:
        """Columns of `OBS`, as strings, indexed by cell id."""
        with intact(self.path / "obs.parquet"):
            return pd.read_parquet(self.path / "obs.parquet").set_index("cell")

    @cached_property
    def protein(self) -> pd.DataFrame:
        """Counts of the proteins, indexed by cell id. Raises StoreError where none was measured."""
        if "protein.parquet" not in self.manifest["files"]:
            raise StoreError(f"{self.path} holds no proteins", "a data set that measured them")
        return pd.read_parquet(self.path / "protein.parquet").set_index(self.obs.index)

    @cached_property
    def genes(self) -> pd.DataFrame:
        """Columns gene_id, symbol and measured (bool), in column order."""
        with intact(self.path / "genes.parquet"):
            return pd.read_parquet(self.path / "genes.parquet")

    @property
    def gene_ids(self) -> list[str]:
        """Ensembl ids of the columns."""
        return list(self.genes["gene_id"])

    @property
    def symbols(self) -> list[str]:
        """Symbols of the columns."""
        return list(self.genes["symbol"])

    @property
    def measured_G(self) -> np.ndarray:
        """Bool, genes that the data set measured; the others are 0 in every cell."""
        return self.genes["measured"].to_numpy(dtype=bool)

    @cached_property
    def total_N(self) -> np.ndarray:
        """Int64 counts of each cell over all genes that were measured, > 0."""
        return np.asarray(self._map("total.u32"), dtype=np.int64)

    def rows(self, index: np.ndarray) -> sparse.csr_matrix:
        """(len(index), G) float32 counts of the cells at `index`, in that order, repeats allowed.

        Raises IndexError outside [0, n_cells).
        """
        index = np.asarray(index, dtype=np.int64)
        if index.size and (index.min() < 0 or index.max() >= self.n_cells):
            raise IndexError(f"cell number outside [0, {self.n_cells})")
        start = np.asarray(self._indptr[index])
        length = np.asarray(self._indptr[index + 1]) - start
        indptr = np.concatenate([[0], np.cumsum(length)])
        at = np.arange(indptr[-1]) + np.repeat(start - indptr[:-1], length)
        data = self._counts[at].astype(np.float32)
        if len(self._overflow):
            full = np.flatnonzero(data == 255)
            found = np.searchsorted(self._overflow, at[full])
            found = np.minimum(found, len(self._overflow) - 1)
            hit = self._overflow[found] == at[full]  # a count of exactly 255 is not in the list
            data[full[hit]] = self._overflow_value[found[hit]]
        shape = (len(index), int(self.manifest["n_genes"]))
        matrix = sparse.csr_matrix((data, self._indices[at].astype(np.int32), indptr), shape=shape)
        matrix.has_sorted_indices = True
        return matrix

    def to_anndata(self) -> AnnData:
        """All cells as AnnData: X float32 counts, obs with `total_counts`, var with symbols."""
        from anndata import AnnData

        obs, var = self.obs.assign(total_counts=self.total_N), self.genes.set_index("gene_id")
        frames = {"obs": obs.rename_axis(None), "var": var.rename_axis(None)}
        return AnnData(self.rows(np.arange(self.n_cells)), **frames)

    @cached_property
    def _indptr(self) -> np.ndarray:
        return self._map("indptr.i64")

    @cached_property
    def _indices(self) -> np.ndarray:
        narrow = "indices.u16" in self.manifest["files"]
        return self._map("indices.u16" if narrow else "indices.u32")

    @cached_property
    def _counts(self) -> np.ndarray:
        return self._map("counts.u8")

    @cached_property
    def _overflow(self) -> np.ndarray:
        return self._map("overflow_position.i64")

    @cached_property
    def _overflow_value(self) -> np.ndarray:
        return self._map("overflow_value.u32")

    def _map(self, name: str) -> np.ndarray:
        dtype = DTYPES[name.rpartition(".")[2]]
        if not self.manifest["files"][name]["bytes"]:
            return np.empty(0, dtype=dtype)  # an empty file cannot be mapped
        return np.memmap(self.path / name, dtype=dtype, mode="r")


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / "manifest.json").read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(f"{path} is no finished cell store ({error})", remedy=AGAIN) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreError(f"{path} is not a cell store of this project", f"format {FORMAT}")
    if manifest.get("version") != VERSION:
        got = f"store {path} has format version {manifest.get('version')}"
        raise StoreError(got, f"version {VERSION}", "update selfcell, or make the store again")
    if manifest.get("sha256") != _digest(manifest):
        raise StoreError(f"{path}/manifest.json was altered", remedy=AGAIN)
    return manifest
