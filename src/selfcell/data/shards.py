"""Files of compact cells that grow block by block: a store's shards, and a shuffle's buckets."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selfcell.data.compact import Block
from selfcell.data.store_format import dtype_of, shard_files

ARRAYS = ("indptr", "indices", "counts", "overflow_position", "overflow_value")


class ShardWriter:
    """Appends blocks to the arrays of one shard, hashing what it writes.

    Args:
        folder: of the store. number: of the shard. n_genes: of the vocabulary.
        hashed: False where nobody will check.
    """

    def __init__(self, folder: Path, number: int, n_genes: int, hashed: bool = True) -> None:
        self._files = {k: folder / v for k, v in shard_files(number, n_genes).items()}
        self._digest = {name: hashlib.sha256() for name in ARRAYS} if hashed else {}
        self.values = 0
        for name in ARRAYS:
            self._append(name, np.zeros(1 if name == "indptr" else 0, dtype=np.int64))

    def add(self, block: Block) -> None:
        """Append a block. Raises OSError where the disk is full."""
        arrays = {name: getattr(block, name) for name in ARRAYS}
        arrays["indptr"] = block.indptr[1:] + self.values
        arrays["overflow_position"] = block.overflow_position + self.values
        for name, values in arrays.items():
            self._append(name, values)
        self.values += len(block.indices)

    def _append(self, name: str, values: np.ndarray) -> None:
        file = self._files[name]
        content = np.ascontiguousarray(values.astype(dtype_of(file.name), copy=False))
        # Opened for each block: a shuffle has more buckets than a process may have open files.
        with open(file, "ab") as stream:
            stream.write(content.data)
        if self._digest:
            self._digest[name].update(content.data)

    def digests(self) -> dict[str, str]:
        """Hex sha256 by file name."""
        return {self._files[name].name: digest.hexdigest() for name, digest in self._digest.items()}

    def read(self) -> dict[str, np.ndarray]:
        """The arrays, in memory, by name."""
        return {k: np.fromfile(v, dtype=dtype_of(v.name)) for k, v in self._files.items()}


class Bucket:
    """A share of the cells of a shuffle, on disk until its turn comes."""

    def __init__(self, folder: Path, n_genes: int) -> None:
        self._folder, self._n_genes = folder, n_genes
        self._counts: ShardWriter | None = None

    def add(self, block: Block) -> None:
        """Append a block. Raises OSError where the disk is full."""
        if self._counts is None:
            self._folder.mkdir()
            self._counts = ShardWriter(self._folder, 0, self._n_genes, hashed=False)
        self._counts.add(block)
        with open(self._about, "ab") as stream, pa.ipc.new_stream(stream, block.about.schema) as to:
            to.write_table(block.about)

    @property
    def _about(self) -> Path:
        return self._folder / "about.arrow"

    def take_out(self) -> Block | None:
        """All its cells, in the order they came, and their disk freed; None of an empty one."""
        if self._counts is None:
            return None
        tables = []
        with pa.OSFile(str(self._about)) as stream:
            while stream.tell() < stream.size():
                tables.append(pa.ipc.open_stream(stream).read_all())
        about = pa.concat_tables(tables).combine_chunks()
        block = Block(**self._counts.read(), about=about)
        shutil.rmtree(self._folder)
        return block


class TableWriter:
    """A parquet file that grows by groups of rows."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, schema)

    def add(self, rows: pa.Table) -> None:
        """Append rows."""
        self._writer.write_table(rows)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
