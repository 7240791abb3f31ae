"""Cells of one data set on disk: checksummed, memory-mapped, compact; open for reading.

A store is a folder (`store_format`) that `writer` makes. Counts of a cell stand in compressed
sparse rows over the study's vocabulary: gene numbers in 16 bits, counts in 8, and a list of those
above 255.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from selfcell.data.specs import named_paths
from selfcell.data.store_format import check_files, dtype_of, read_manifest, shard_files
from selfcell.errors import StoreError, intact

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Shard:
    """Memory-mapped cells.

    Attributes:
        indptr: (N + 1) int64, from 0: where each cell's values start.
        indices: uint16 or uint32 gene numbers, ascending within a cell.
        counts: uint8, those above 255 as 255.
        overflow_position, overflow_value: where those stand (ascending), and what they are.
    """

    indptr: np.ndarray
    indices: np.ndarray
    counts: np.ndarray
    overflow_position: np.ndarray
    overflow_value: np.ndarray

    def exact(self, at: np.ndarray) -> np.ndarray:
        """Float32 counts at these positions of the shard."""
        data = np.asarray(self.counts[at], dtype=np.float32)
        if len(self.overflow_position):
            full = np.flatnonzero(data == 255)
            found = np.searchsorted(self.overflow_position, at[full])
            found = np.minimum(found, len(self.overflow_position) - 1)
            hit = self.overflow_position[found] == at[full]  # exactly 255 is not in the list
            data[full[hit]] = self.overflow_value[found[hit]]
        return data

    def rows(self, index: np.ndarray, n_genes: int) -> sparse.csr_matrix:
        """(len(index), n_genes) float32 counts of these cells of the shard, in that order."""
        start = np.asarray(self.indptr[index])
        length = np.asarray(self.indptr[index + 1]) - start
        indptr = np.concatenate([[0], np.cumsum(length)])
        at = np.arange(indptr[-1]) + np.repeat(start - indptr[:-1], length)
        indices = self.indices[at].astype(np.int32)
        matrix = sparse.csr_matrix((self.exact(at), indices, indptr), (len(index), n_genes))
        matrix.has_sorted_indices = True
        return matrix

    def want(self, first: int, last: int) -> None:
        """Have the system read cells `first` to `last - 1` from disk, beside what runs."""
        low, high = int(self.indptr[first]), int(self.indptr[last])
        for values in (self.indices, self.counts):
            view: Any = values.base  # of the map; None where the file is empty
            if view is not None and high > low:
                start = low * values.itemsize // mmap.PAGESIZE * mmap.PAGESIZE
                length = high * values.itemsize - start
                view.obj.madvise(mmap.MADV_WILLNEED, start, length)


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
        manifest = read_manifest(path)
        check_files(path, manifest, verify)
        return cls(path, manifest)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.manifest["n_cells"])

    @property
    def n_genes(self) -> int:
        """Number of columns."""
        return int(self.manifest["n_genes"])

    @property
    def shard_cells(self) -> int:
        """Cells of every shard but the last."""
        return int(self.manifest["shard_cells"])

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

    @cached_property
    def key_N(self) -> np.ndarray:
        """Int64 identifier of each cell in [0, 2**63), derived from its id alone."""
        return self._map("key.i64")

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """The shards, in order."""
        files = (shard_files(i, self.n_genes) for i in range(int(self.manifest["n_shards"])))
        return tuple(Shard(*map(self._map, names.values())) for names in files)

    def rows(self, index: np.ndarray) -> sparse.csr_matrix:
        """(len(index), G) float32 counts of the cells at `index`, in that order, repeats allowed.

        Raises IndexError outside [0, n_cells).
        """
        index = np.asarray(index, dtype=np.int64)
        if index.size and (index.min() < 0 or index.max() >= self.n_cells):
            raise IndexError(f"cell number outside [0, {self.n_cells})")
        return in_order(self.shards, *np.divmod(index, self.shard_cells), self.n_genes)

    def to_anndata(self) -> AnnData:
        """All cells as AnnData: X float32 counts, obs with `total_counts`, var with symbols."""
        from anndata import AnnData

        obs, var = self.obs.assign(total_counts=self.total_N), self.genes.set_index("gene_id")
        frames = {"obs": obs.rename_axis(None), "var": var.rename_axis(None)}
        return AnnData(self.rows(np.arange(self.n_cells)), **frames)

    def _map(self, name: str) -> np.ndarray:
        dtype = dtype_of(name)
        if not self.manifest["files"][name]["bytes"]:
            return np.empty(0, dtype=dtype)  # an empty file cannot be mapped
        with open(self.path / name, "rb") as file:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=dtype)


def in_order(
    shards: Sequence[Shard], shard_N: np.ndarray, row_N: np.ndarray, n_genes: int
) -> sparse.csr_matrix:
    """(N, n_genes) float32 counts of cells of several shards, in the order asked."""
    wanted = np.unique(shard_N)
    if len(wanted) <= 1:
        return shards[int(wanted[0]) if len(wanted) else 0].rows(row_N, n_genes)
    order = np.argsort(shard_N, kind="stable")
    blocks = [shards[i].rows(row_N[shard_N == i], n_genes) for i in wanted]
    return sparse.vstack(blocks, format="csr")[np.argsort(order, kind="stable")]


def open_stores(options: Sequence[str]) -> tuple[dict[str, Store], dict[str, str]]:
    """Stores of a script's `--store NAME=folder`, and their digests, which a run's key is made of;
    both by name. Raises StoreError as `Store.open`, ConfigError: no pair, or a name twice."""
    stores = {name: Store.open(path) for name, path in named_paths(options, "--store").items()}
    return stores, {name: str(store.manifest["sha256"]) for name, store in stores.items()}
