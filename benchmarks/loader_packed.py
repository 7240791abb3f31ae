"""Our store in a compressed form, to see what that would give: the package has no such form.

Cells of the shuffled store in blocks of 256: gene numbers as differences in 8 bits, counts as they
are, packed by zstd. A batch is drawn as whole blocks, unpacked into memory that is used again, and
goes through the reader of the plain store.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from loader_peers import Batches

BLOCK = 256
ESCAPE = 255  # in place of a difference this large or larger, which stands in a list
CODEC = "zstd"
LIST = np.dtype([("position", "<i8"), ("value", "<u4")])  # of counts above 255


def prepare(data: Path, work: Path) -> None:
    """Pack the store that `selfcell` wrote of these cells."""
    import pyarrow as pa

    from selfcell.data.store import Store

    store = Store.open(work / "selfcell", verify=False)
    folder = work / "packed"
    folder.mkdir()
    for name in ("obs.parquet", "key.i64", "total.u32", "genes.parquet"):
        shutil.copy(store.path / name, folder)
    rows, codec = [], pa.Codec(CODEC)
    with (folder / "blocks.zst").open("wb") as file:
        for shard in store.shards:
            n = len(shard.indptr) - 1
            for first in range(0, n - n % BLOCK, BLOCK):
                low, high = shard.indptr[first], shard.indptr[first + BLOCK]
                start = shard.indptr[first : first + BLOCK] - low
                gene_V = shard.indices[low:high].astype(np.int32)
                step_V = np.diff(gene_V, prepend=0)
                step_V[start] = gene_V[start]
                far = step_V >= ESCAPE
                at = np.searchsorted(shard.overflow_position, [low, high])
                large = np.empty(at[1] - at[0], dtype=LIST)
                large["position"] = shard.overflow_position[at[0] : at[1]] - low
                large["value"] = shard.overflow_value[at[0] : at[1]]
                parts = [
                    np.diff(shard.indptr[first : first + BLOCK + 1]).astype(np.uint16),
                    step_V[far].astype(np.uint16),
                    large,
                    np.where(far, ESCAPE, step_V).astype(np.uint8),
                    shard.counts[low:high],
                ]
                raw = b"".join(part.tobytes() for part in parts)
                packed = codec.compress(raw, asbytes=True)
                file.write(packed)
                rows.append([len(packed), len(raw), high - low, far.sum(), len(large)])
    np.save(folder / "blocks.npy", np.array(rows, dtype=np.int64))


class Packed:
    """The packed blocks, and room for one batch of them, read as a store of that many cells.

    Args:
        names: number of each cell. batch: cells, a multiple of a block's.
    """

    def __init__(self, work: Path, names: np.ndarray, batch: int, n_genes: int, threads: int):
        from selfcell.data.cells import StoreCells
        from selfcell.data.gather import Reader
        from selfcell.data.store import Shard

        self.rows = np.load(work / "packed" / "blocks.npy")
        self.ends = np.cumsum(self.rows[:, 0])
        self.data = np.memmap(work / "packed" / "blocks.zst", dtype=np.uint8, mode="r")
        self.total_N = np.fromfile(work / "packed" / "total.u32", dtype=np.uint32)
        self.names, self.many = names, batch // BLOCK
        room = int(self.many * self.rows[:, 2].max())
        lists = int(self.many * self.rows[:, 4].max()) + 1
        self.shard = Shard(
            np.zeros(batch + 1, np.int64), np.empty(room, np.uint16), np.empty(room, np.uint8),
            np.empty(lists, np.int64), np.zeros(lists, np.uint32),
        )  # fmt: skip
        part: Any = SimpleNamespace(shards=(self.shard,), shard_cells=batch, n_genes=n_genes)
        self.index = np.arange(batch)
        none = np.zeros(batch, np.int64)
        every = np.ones(n_genes, dtype=bool)
        self.cells = StoreCells((part,), none, self.index, every, none, none.copy())
        self.reader = Reader(self.cells, threads)
        self.pool = ThreadPoolExecutor(threads)
        sums()  # before threads ask for it at once

    def load(self, blocks: np.ndarray) -> np.ndarray:
        """Unpack these blocks into the batch's memory; the numbers of their cells."""
        self.shard.overflow_position[:] = np.iinfo(np.int64).max
        first_V, list_V = (np.cumsum(self.rows[blocks, k]) - self.rows[blocks, k] for k in (2, 4))
        places = zip(range(self.many), blocks, first_V, list_V, strict=True)
        list(self.pool.map(lambda place: self._unpack(*place), places))
        rows = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
        self.cells.total_N[:] = self.total_N[rows]
        return self.names[rows]

    def _unpack(self, place: int, block: int, first: int, listed: int) -> None:
        import pyarrow as pa

        size, raw_size, n, n_far, n_large = self.rows[block]
        end = self.ends[block]
        codec = pa.Codec(CODEC)
        raw = codec.decompress(memoryview(self.data[end - size : end]), int(raw_size))
        length_B = np.frombuffer(raw, np.uint16, BLOCK)
        at = length_B.nbytes
        far = np.frombuffer(raw, np.uint16, n_far, at)
        at += far.nbytes
        large = np.frombuffer(raw, LIST, n_large, at)
        at += large.nbytes
        step_V = np.frombuffer(raw, np.uint8, n, at)
        self.shard.counts[first : first + n] = np.frombuffer(raw, np.uint8, n, at + n)
        ends = np.cumsum(length_B, dtype=np.int64) + first
        self.shard.indptr[place * BLOCK + 1 : (place + 1) * BLOCK + 1] = ends
        sums()(step_V, far, length_B, self.shard.indices[first : first + n])
        self.shard.overflow_position[listed : listed + n_large] = large["position"] + first
        self.shard.overflow_value[listed : listed + n_large] = large["value"]


@cache
def sums() -> Any:
    """The compiled sum of differences, made at the first call."""
    import numba

    @numba.njit(nogil=True)
    def add_up(step_V: Any, far: Any, length_B: Any, gene_V: Any) -> None:
        at, seen = 0, 0
        for length in length_B:
            gene = 0
            for _ in range(length):
                step = np.int64(step_V[at])
                if step == ESCAPE:
                    step = np.int64(far[seen])
                    seen += 1
                gene += step
                gene_V[at] = gene
                at += 1

    return add_up


def reader(threads: int) -> Any:
    """Batches as the other systems give them; one is made while the one before is used."""
    state: dict[str, Any] = {}

    def batches(data: Path, work: Path, batch: int, dense: bool) -> Batches:
        from selfcell.data.gather import Memory
        from selfcell.data.loader import in_advance
        from selfcell.data.store import Store

        if not state:
            store = Store.open(work / "selfcell", verify=False)
            names = store.obs.index.str.removeprefix("cell").to_numpy(dtype=np.int64)
            made = [Packed(work, names, batch, store.n_genes, threads) for _ in range(2)]
            arrays = [np.empty((batch, store.n_genes), np.float32) for _ in made] if dense else []
            memory = [Memory() for _ in made]
            rng = np.random.default_rng(0)
            state.update(made=made, arrays=arrays, memory=memory, rng=rng)
        made, many = state["made"], state["made"][0].many
        order = state["rng"].permutation(len(made[0].rows))

        def make(step: int) -> tuple[Any, np.ndarray]:
            own = made[step % 2]
            numbers = own.load(np.sort(order[step * many : (step + 1) * many]))
            if dense:
                return own.reader.dense(own.index, state["arrays"][step % 2]), numbers
            return own.reader.sparse(own.index, state["memory"][step % 2]), numbers

        stream: Iterator[tuple[Any, np.ndarray]] = in_advance(make, 0, len(order) // many, 1)
        yield from stream

    return batches
