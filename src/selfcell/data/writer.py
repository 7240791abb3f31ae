"""Write cell stores: streaming, in bounded memory, all of a store or nothing.

Cells come in blocks of some thousands. In the order they come, each block is appended to the shard
being written. Shuffled, they make two passes over the disk: the first deals them out to buckets by
a hash of their id and the seed, the second sorts each bucket by that hash and appends it. What
comes out is sorted by the hash, which is a uniform shuffle that depends on the ids and the seed
alone: neither on the order the cells came in, nor on the size of blocks and buckets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from selfcell.data.ahead import one_ahead
from selfcell.data.claim import exclusive
from selfcell.data.compact import PROTEIN, Block, Columns
from selfcell.data.shards import Bucket, ShardWriter, TableWriter
from selfcell.data.store_format import OBS, SHARD, write_manifest
from selfcell.errors import DataError, intact
from selfcell.keys import derive
from selfcell.provenance import short_hash

if TYPE_CHECKING:
    from anndata import AnnData

CHUNK = 4096  # cells of a block
BUCKET = 1 << 15  # cells of a bucket, about


def write_store(
    cells: AnnData, vocabulary: pd.DataFrame, path: Path | str, *, shuffle: int | None = None
) -> None:
    """Write cells, cut to the vocabulary, as a store.

    Args:
        cells: in memory or backed by a file. X counts (CSR), var_names Ensembl ids, obs with
            `total_counts` (counts of the cell over all genes of its file) and the columns of
            `OBS`; proteins in obsm, if any.
        vocabulary, path, shuffle: as in `write_blocks`.

    Raises:
        DataError, StoreError, OSError: as `write_blocks`.
    """
    n = cells.n_obs

    def blocks() -> Iterator[AnnData]:
        with tqdm(total=n, desc=Path(path).name, unit="cell", delay=2, leave=False) as bar:
            for start in range(0, n, CHUNK):
                yield _part(cells, start)
                bar.update(min(CHUNK, n - start))

    write_blocks(blocks(), vocabulary, path, shuffle=shuffle, expected=n)


def _part(cells: AnnData, start: int) -> AnnData:
    """Some cells, in memory. Raises StoreError where their file is damaged."""
    part = cells[start : start + CHUNK]
    if not cells.isbacked:
        return part
    with intact(Path(cells.filename)):
        return part.to_memory()


def write_blocks(
    blocks: Iterable[AnnData],
    vocabulary: pd.DataFrame,
    path: Path | str,
    *,
    shuffle: int | None = None,
    expected: int = 0,
    shard_cells: int = SHARD,
) -> None:
    """Write a stream of cells as a store; no more than two blocks, or buckets, are in memory.

    Args:
        blocks: of some thousands of cells each, as in `write_store`, all with the same genes.
        vocabulary: columns gene_id and symbol, in column order. Genes that the cells lack are
            stored as not measured.
        path: folder to make; a store that stood there is replaced when all is written.
        shuffle: seed of a global shuffle; None keeps the order.
        expected: number of cells, about; a shuffle's memory is bounded by it.
        shard_cells: cells of a shard, above 0.

    Raises:
        DataError: no cells, counts that are not whole numbers in [0, 2**24), a cell whose total
            is zero or below its own counts, repeated genes or cells, blocks of unlike genes.
        StoreError: another process is writing this store.
        OSError: the disk is full or may not be written to; nothing is left behind.
    """
    gene_ids = vocabulary["gene_id"].to_numpy(dtype=str)
    with exclusive(path) as folder:
        aligned = _Aligned(blocks, gene_ids)
        ordered = one_ahead(aligned.blocks())
        if shuffle is not None:
            ordered = one_ahead(_shuffled(ordered, folder, shuffle, expected, len(gene_ids)))
        writer = _Writer(folder, len(gene_ids), shard_cells)
        with closing(ordered):  # lest a thread still reads what an error has deleted
            for block in ordered:
                writer.add(block)
        if not writer.cells or aligned.columns is None:
            raise DataError("no cells to store", "at least one")
        genes = pd.DataFrame({"gene_id": gene_ids, "symbol": vocabulary["symbol"].astype(str)})
        genes["measured"] = aligned.columns.measured_G
        genes.to_parquet(folder / "genes.parquet", index=False)
        facts = {"vocabulary": short_hash(gene_ids.tolist()), "shuffled_by": shuffle}
        writer.finish(facts)


class _Aligned:
    """Blocks in the vocabulary's columns; which of them were measured, once the first is read."""

    def __init__(self, parts: Iterable[AnnData], gene_ids: np.ndarray) -> None:
        self._parts, self._gene_ids = parts, gene_ids
        self.columns: Columns | None = None

    def blocks(self) -> Iterator[Block]:
        for cells in self._parts:
            if self.columns is None:
                self.columns = Columns.of(cells.var_names, self._gene_ids)
            yield self.columns.narrow(cells)


def _shuffled(
    blocks: Iterator[Block], folder: Path, seed: int, expected: int, n_genes: int
) -> Iterator[Block]:
    """The cells of all blocks, in order of their hash; passes through buckets on disk."""
    spilled = folder / "buckets"
    spilled.mkdir()
    n = max(1, -(-expected // BUCKET))
    buckets = [Bucket(spilled / f"{number:05d}", n_genes) for number in range(n)]
    for came in blocks:
        rank_N = hashes(came.key_N, seed)
        # Buckets are ranges of the hash: multiplied, lest a 65th bit be needed.
        bucket_N = ((rank_N >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32)
        order = np.argsort(bucket_N, kind="stable")
        dealt = came.take(order)
        ends = np.searchsorted(bucket_N[order], np.arange(n + 1, dtype=np.uint64))
        for number in np.flatnonzero(np.diff(ends)):
            buckets[number].add(dealt.cut(int(ends[number]), int(ends[number + 1])))
    for bucket in buckets:
        if (block := bucket.take_out()) is not None:
            yield block.take(np.argsort(hashes(block.key_N, seed), kind="stable"))
    spilled.rmdir()


def hashes(key_N: np.ndarray, seed: int) -> np.ndarray:
    """(N,) uint64 in which a shuffle sorts cells: their identifiers, mixed with the seed.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014), the
    finaliser of SplitMix64.
    """
    x = key_N.astype(np.uint64) ^ np.uint64(derive("store", seed))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        x ^= x >> np.uint64(shift)
        x *= np.uint64(factor)
    return x


class _Writer:
    """Appends blocks to shards, and what belongs to cells to tables."""

    def __init__(self, folder: Path, n_genes: int, shard_cells: int) -> None:
        self._folder, self._n_genes, self._shard_cells = folder, n_genes, shard_cells
        self._done: list[ShardWriter] = []
        self._tables: dict[str, TableWriter] = {}
        self._key, self._total = [np.empty(0, np.int64)], [np.empty(0, np.uint32)]
        self.cells = 0

    def add(self, block: Block) -> None:
        """Append cells, starting new shards where one is full."""
        first = 0
        while first < len(block):
            if self.cells % self._shard_cells == 0:
                self._done.append(ShardWriter(self._folder, len(self._done), self._n_genes))
            room = self._shard_cells - self.cells % self._shard_cells
            last = min(len(block), first + room)
            self._done[-1].add(block.cut(first, last))
            self.cells += last - first
            first = last
        self._key.append(block.key_N)
        self._total.append(block.about["total"].to_numpy())
        self._table("obs", block.about.select(["cell", *OBS]))
        protein = [name for name in block.about.column_names if name.startswith(PROTEIN)]
        if protein:
            names = [name.removeprefix(PROTEIN) for name in protein]
            self._table("protein", block.about.select(protein).rename_columns(names))

    def _table(self, name: str, rows: pa.Table) -> None:
        if name not in self._tables:
            self._tables[name] = TableWriter(self._folder / f"{name}.parquet", rows.schema)
        self._tables[name].add(rows)

    def finish(self, facts: dict[str, Any]) -> None:
        """Close every file and write the manifest. Raises DataError for a cell id that repeats."""
        for table in self._tables.values():
            table.close()
        key_N = np.concatenate(self._key)
        if len(np.unique(key_N)) != len(key_N):
            raise DataError("a cell id stands twice", "each cell once", "make cell ids unique")
        # not `tofile`, which says nothing of the disk being full
        (self._folder / "key.i64").write_bytes(key_N.astype("<i8").data)
        (self._folder / "total.u32").write_bytes(np.concatenate(self._total).astype("<u4").data)
        sizes = {
            "n_cells": self.cells,
            "n_genes": self._n_genes,
            "n_values": sum(shard.values for shard in self._done),
            "shard_cells": self._shard_cells,
            "n_shards": len(self._done),
        }
        known = {name: digest for shard in self._done for name, digest in shard.digests().items()}
        write_manifest(self._folder, {**sizes, **facts}, known)
