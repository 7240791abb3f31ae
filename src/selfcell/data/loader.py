"""Batches by step number: deterministic, resumable at any step, sharded over ranks.

Batch `s` is a pure function of the cells, the seed and `s`, so a run that resumes at step 700
sees what an uninterrupted one saw, and ranks together see what one process would.

Shape suffixes: N cells of the loader, B cells of a batch, G genes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from selfcell.data.cells import Source, StoreCells, log_normalise
from selfcell.data.order import BlockOrder, RowOrder
from selfcell.errors import ConfigError, DataError
from selfcell.methods.base import Batch
from selfcell.rng import Noise

if TYPE_CHECKING:
    from selfcell.data.gather import Compact, Memory, Reader

REPEAT = 0x5851F42D4C957F2D  # any odd number: multiples of it differ in all their bits
SIXTY_THREE_BITS = (1 << 63) - 1
WINDOW = 1 << 15  # cells that are mixed, where blocks of cells are read
FUSED = 1 << 22  # entries of a dense batch; under it, loading the compiled loops costs more

Item = TypeVar("Item")


def normalise(counts: csr_matrix, total_N: np.ndarray) -> Tensor:
    """(N, G) dense float32 log1p of counts scaled to 10,000 a cell; for training and embedding.

    Raises DataError for a cell whose total is not above zero.
    """
    return torch.from_numpy(log_normalise(counts, total_N).toarray())


class Loader:
    """Full batches over shuffled cells.

    The cells follow one another epoch by epoch, each epoch in an order of its own that depends on
    the seed and the epoch alone, every cell once. Batches are cut from that endless sequence, so
    each is full, and one may hold the end of an epoch and the start of the next. With fewer cells
    than a batch, a batch holds a cell several times.

    Args:
        source: the cells.
        rows: positions in `source` to load.
        batch: cells of a batch, over all ranks.
        seed: of the order and of the noise.
        label_N: class of each of `rows`; batches then carry labels.
        rank, ranks: this process gets rows rank, rank + ranks, ... of each batch.
        block: 1 gives every order the same chance. For stores that were shuffled when written and
            do not fit in memory: cells that are read from disk together, 256 say (`BlockOrder`).
        threads: that read a batch together, beside the one that `stream` works ahead with.

    Raises:
        DataError: no cells.
        ConfigError: `batch` is not a multiple of `ranks`, labels that do not fit the rows, or
            blocks of cells that come from no store.
    """

    def __init__(
        self,
        source: Source,
        rows: np.ndarray,
        batch: int,
        seed: int,
        *,
        label_N: np.ndarray | None = None,
        rank: int = 0,
        ranks: int = 1,
        block: int = 1,
        threads: int = 1,
    ) -> None:
        if not len(rows):
            raise DataError("no cells to load", "at least one")
        if batch < 1 or batch % ranks or not 0 <= rank < ranks:
            raise ConfigError(f"batch {batch} over {ranks} ranks", "a multiple of the ranks")
        if label_N is not None and len(label_N) != len(rows):
            raise ConfigError(f"{len(label_N)} labels for {len(rows)} cells", "one a cell")
        self.source, self.rows = source, np.asarray(rows, dtype=np.int64)
        self._batch, self.seed, self._rank, self._ranks = batch, seed, rank, ranks
        self.label_N = None if label_N is None else np.asarray(label_N, dtype=np.int64)
        self._threads = threads
        self._order: RowOrder | BlockOrder = RowOrder(len(rows), seed)
        if block > 1:
            cells = self._stored()
            self._order = BlockOrder(
                len(rows), seed, block, max(1, WINDOW // block),
                lambda first, last: cells.want(self.rows[first:last]),
            )  # fmt: skip

    def _stored(self) -> StoreCells:
        if not isinstance(self.source, StoreCells):
            raise ConfigError("cells held in memory", "cells of stores", "leave block at 1")
        return self.source

    def positions(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions in `rows` of this rank's part of a batch, and how many epochs after that of
        the batch's first cell each of them comes (0 but at the border of epochs)."""
        n = len(self.rows)
        place = step * self._batch + np.arange(self._rank, self._batch, self._ranks)
        epoch, within = place // n, place % n
        chosen = np.empty(len(place), dtype=np.int64)
        for e in np.unique(epoch):
            here = epoch == e
            chosen[here] = self._order.at(int(e), within[here])
        return chosen, epoch - step * self._batch // n

    def batch(self, step: int, out: tuple[np.ndarray, np.ndarray] | None = None) -> Batch:
        """The batch of a step, >= 0.

        A cell's noise key is its own, whatever its position; where a batch holds a cell twice, the
        later copies get other noise. Expression and counts are laid in `out`, two (B, G) float32
        arrays, if given. Raises DataError for a cell without counts.
        """
        index = self.rows[self.positions(step)[0]]
        total_B, key_B, label_B = self.about(step)
        x_BG, count_BG = self._read(index, out)
        return Batch(
            x_BG=x_BG,
            count_BG=count_BG,
            total_B=torch.from_numpy(total_B),
            noise=Noise(self.seed, step, torch.from_numpy(key_B)),
            label_B=None if label_B is None else torch.from_numpy(label_B),
        )

    def about(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Total, noise key and, if any, class of each cell of a step's batch."""
        chosen, later = self.positions(step)
        index = self.rows[chosen]
        total_B = np.asarray(self.source.total_N[index], dtype=np.float32)
        key_B = self.source.key_N[index] ^ (later * REPEAT & SIXTY_THREE_BITS)
        return total_B, key_B, None if self.label_N is None else self.label_N[chosen]

    def _read(
        self, index: np.ndarray, out: tuple[np.ndarray, np.ndarray] | None
    ) -> tuple[Tensor, Tensor]:
        """Expression and counts; small batches by NumPy, to the same bits."""
        source = self.source
        large = isinstance(source, StoreCells) and len(index) * source.parts[0].n_genes >= FUSED
        if large or out:
            x_BG, count_BG = out or (None, None)
            x_BG = self.reader.dense(index, x_BG)
            count_BG = self.reader.dense(index, count_BG, raw=True)
            return torch.from_numpy(x_BG), torch.from_numpy(count_BG)
        counts = source.rows(index)
        return normalise(counts, source.total_N[index]), torch.from_numpy(counts.toarray())

    @cached_property
    def reader(self) -> Reader:
        """Of the stores that the cells are in. Raises ConfigError for cells held in memory."""
        from selfcell.data.gather import Reader

        return Reader(self._stored(), self._threads)

    def dense(self, step: int, out_BG: np.ndarray | None = None) -> np.ndarray:
        """(B, G) float32 expression of a step's cells, into `out_BG` if given. Of stores only."""
        return self.reader.dense(self.rows[self.positions(step)[0]], out_BG)

    def sparse(self, step: int, memory: Memory | None = None) -> csr_matrix:
        """(B, G) float32 expression of a step's cells, as sparse rows. Of stores only."""
        return self.reader.sparse(self.rows[self.positions(step)[0]], memory)

    def compact(self, step: int) -> Compact:
        """The cells of a step as they are stored, for a GPU to unpack. Of stores only."""
        return self.reader.compact(self.rows[self.positions(step)[0]])

    def stream(
        self, start: int, stop: int, ahead: int = 2, *, reuse: bool = False
    ) -> Iterator[Batch]:
        """Batches of steps start to stop - 1, `ahead` of them made beforehand by one thread.

        `ahead=0` makes them in place; the batches are the same. With `reuse` (of stores only) each
        is good until the next is asked for, when its memory is written anew: fresh memory costs
        more time than what is written into it.
        """
        if not reuse:
            return in_advance(self.batch, start, stop, ahead)
        pairs = [(self._array(), self._array()) for _ in range(ahead + 1)]
        return in_advance(lambda s: self.batch(s, pairs[s % len(pairs)]), start, stop, ahead)

    def _array(self) -> np.ndarray:
        size = self._batch // self._ranks, self._stored().parts[0].n_genes
        return np.empty(size, dtype=np.float32)

    def dense_stream(self, start: int, stop: int, ahead: int = 1) -> Iterator[np.ndarray]:
        """As `stream`, `dense` arrays; each is good until the next is asked for, when its memory
        is written anew: `ahead + 1` arrays serve any number of steps."""
        arrays = [self._array() for _ in range(ahead + 1)]
        return in_advance(lambda s: self.dense(s, arrays[s % len(arrays)]), start, stop, ahead)

    def sparse_stream(self, start: int, stop: int, ahead: int = 1) -> Iterator[csr_matrix]:
        """As `dense_stream`, `sparse` matrices."""
        from selfcell.data.gather import Memory

        parts = [Memory() for _ in range(ahead + 1)]
        return in_advance(lambda s: self.sparse(s, parts[s % len(parts)]), start, stop, ahead)


def in_advance(make: Callable[[int], Item], start: int, stop: int, ahead: int) -> Iterator[Item]:
    """`make` of start to stop - 1, `ahead` of them made beforehand by one thread, in order.

    An item is made only when the one `ahead + 1` before it is done with: asked past.
    """
    if not ahead:
        yield from (make(step) for step in range(start, stop))
        return
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
    waiting: deque[Future[Item]] = deque()
    try:
        for step in range(start, stop + ahead):
            if step < stop:
                waiting.append(pool.submit(make, step))
            if step >= start + ahead:
                yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
