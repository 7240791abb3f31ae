"""The order that cells are visited in, epoch by epoch: a function of seed and epoch alone.

Shape suffixes: N cells, B cells asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from selfcell.keys import generator


class RowOrder:
    """Every order is equally likely. Reads single cells from all over: for cells that stay in the
    system's page cache, whatever order they are stored in.

    Args:
        n: cells.
        seed: of the order.
    """

    def __init__(self, n: int, seed: int) -> None:
        self._n, self._seed = n, seed
        self._shuffled = lru_cache(maxsize=2)(self._shuffle)

    def _shuffle(self, epoch: int) -> np.ndarray:
        return generator("order", self._seed, epoch).permutation(self._n)

    def at(self, epoch: int, place_B: np.ndarray) -> np.ndarray:
        """(B,) positions of the cells that come at these places of an epoch."""
        chosen: np.ndarray = self._shuffled(epoch)[place_B]
        return chosen


class BlockOrder:
    """Blocks of neighbours in random order, the cells of some blocks at a time mixed.

    For stores that do not fit in memory, and that were shuffled when they were written: then
    neighbours have nothing in common, and a batch is as mixed as under `RowOrder`, while the disk
    reads blocks. The blocks of the window after the current one are asked for ahead.

    Args:
        n, seed: as in `RowOrder`.
        block: cells of a block, above 0.
        window: blocks whose cells are mixed.
        want: called with the first and one past the last position of blocks that come soon.
    """

    def __init__(
        self, n: int, seed: int, block: int, window: int, want: Callable[[int, int], None]
    ) -> None:
        self._n, self._seed, self._block, self._window, self._want = n, seed, block, window, want
        self._blocks = lru_cache(maxsize=2)(self._shuffle_blocks)
        self._mixed = lru_cache(maxsize=3)(self._mix)

    def _shuffle_blocks(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The blocks in order, and the place at which each window starts, with the end."""
        n_blocks = -(-self._n // self._block)
        blocks = generator("blocks", self._seed, epoch).permutation(n_blocks)
        sizes = np.minimum((blocks + 1) * self._block, self._n) - blocks * self._block
        ends = np.concatenate([[0], np.cumsum(sizes)])
        return blocks, np.append(ends[: -1 : self._window], self._n)

    def _members(self, epoch: int, number: int) -> np.ndarray:
        return self._blocks(epoch)[0][number * self._window : (number + 1) * self._window]

    def _mix(self, epoch: int, number: int) -> np.ndarray:
        """Positions of the cells of a window, mixed."""
        for block in self._members(epoch, number + 1):
            self._want(block * self._block, min((block + 1) * self._block, self._n))
        within = np.arange(self._block)
        cells = (self._members(epoch, number)[:, None] * self._block + within).ravel()
        return generator("window", self._seed, epoch, number).permutation(cells[cells < self._n])

    def at(self, epoch: int, place_B: np.ndarray) -> np.ndarray:
        """(B,) positions of the cells that come at these places of an epoch."""
        starts = self._blocks(epoch)[1]
        window_B = np.searchsorted(starts, place_B, side="right") - 1
        chosen = np.empty(len(place_B), dtype=np.int64)
        for number in np.unique(window_B):
            here = window_B == number
            chosen[here] = self._mixed(epoch, int(number))[place_B[here] - starts[number]]
        return chosen
