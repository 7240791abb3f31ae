"""Batches by step number: deterministic, resumable at any step, sharded over ranks.

Batch `s` is a pure function of the cells, the seed and `s`, so a run that resumes at step 700
sees what an uninterrupted one saw, and ranks together see what one process would.

Shape suffixes: N cells of the loader, B cells of a batch, G genes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from selfcell.data.cells import Source, log_normalise
from selfcell.errors import ConfigError, DataError
from selfcell.keys import generator
from selfcell.methods.base import Batch
from selfcell.rng import Noise

REPEAT = 0x5851F42D4C957F2D  # any odd number: multiples of it differ in all their bits
SIXTY_THREE_BITS = (1 << 63) - 1


def normalise(counts: sparse.csr_matrix, total_N: np.ndarray) -> Tensor:
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

    Raises:
        DataError: no cells.
        ConfigError: `batch` is not a multiple of `ranks`, or labels that do not fit the rows.
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
    ) -> None:
        if not len(rows):
            raise DataError("no cells to load", "at least one")
        if batch < 1 or batch % ranks or not 0 <= rank < ranks:
            raise ConfigError(f"batch {batch} over {ranks} ranks", "a multiple of the ranks")
        if label_N is not None and len(label_N) != len(rows):
            raise ConfigError(f"{len(label_N)} labels for {len(rows)} cells", "one a cell")
        self._source, self._rows = source, np.asarray(rows, dtype=np.int64)
        self._batch, self._seed, self._rank, self._ranks = batch, seed, rank, ranks
        self._label_N = None if label_N is None else np.asarray(label_N, dtype=np.int64)
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, epoch: int) -> np.ndarray:
        return generator("order", self._seed, epoch).permutation(len(self._rows))

    def positions(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions in `rows` of this rank's part of a batch, and how many epochs after that of
        the batch's first cell each of them comes (0 but at the border of epochs)."""
        n = len(self._rows)
        place = step * self._batch + np.arange(self._rank, self._batch, self._ranks)
        epoch, within = place // n, place % n
        chosen = np.empty(len(place), dtype=np.int64)
        for e in np.unique(epoch):
            here = epoch == e
            chosen[here] = self._order(int(e))[within[here]]
        return chosen, epoch - step * self._batch // n

    def batch(self, step: int) -> Batch:
        """The batch of a step, >= 0.

        A cell's noise key is its own, whatever its position; where a batch holds a cell twice, the
        later copies get other noise. Raises DataError for a cell without counts.
        """
        chosen, later = self.positions(step)
        index = self._rows[chosen]
        counts, total = self._source.rows(index), self._source.total_N[index]
        key = self._source.key_N[index] ^ (later * REPEAT & SIXTY_THREE_BITS)
        label = None if self._label_N is None else torch.from_numpy(self._label_N[chosen])
        return Batch(
            x_BG=normalise(counts, total),
            count_BG=torch.from_numpy(counts.toarray()),
            total_B=torch.from_numpy(np.asarray(total, dtype=np.float32)),
            noise=Noise(self._seed, step, torch.from_numpy(key)),
            label_B=label,
        )

    def stream(self, start: int, stop: int, ahead: int = 2) -> Iterator[Batch]:
        """Batches of steps start to stop - 1, `ahead` of them made beforehand by one thread.

        `ahead=0` makes them in place; the batches are the same.
        """
        if not ahead:
            yield from (self.batch(step) for step in range(start, stop))
            return
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        waiting: deque[Future[Batch]] = deque()
        try:
            for step in range(start, stop + ahead):
                if step < stop:
                    waiting.append(pool.submit(self.batch, step))
                if step >= start + ahead:
                    yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
