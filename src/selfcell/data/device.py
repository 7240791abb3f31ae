"""Batches on a GPU: the cells of a loader lie there as they are stored, or are sent so.

What crosses to the device, and lies there, is three bytes a value; logarithms and zeros are made
on the device. The batches are those of the loader, but for the last bit of a logarithm.

Shape suffixes: N cells of the loader, B cells of a batch, V their values, G genes.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from selfcell.data.cells import StoreCells, scale
from selfcell.data.loader import Loader
from selfcell.methods.base import Batch
from selfcell.rng import Noise

if TYPE_CHECKING:
    from selfcell.data.gather import Compact

log = logging.getLogger("selfcell")

VALUE, CELL = 3, 40  # bytes that lie on the device
ROOM = 0.5  # of the device's free memory that cells may take; weights and batches need the rest
CHUNK = 1 << 16  # cells that are sent at once


class Batches(Protocol):
    """As `train.loop.Batches`."""

    def batch(self, step: int) -> Batch:
        """The batch of a step, >= 0."""
        ...


def on_device(loader: Loader, device: torch.device) -> Batches:
    """The loader's batches on a device: the loader itself on a processor; on a GPU the cells
    lie there where half of its free memory holds them, else each batch is sent, one ahead."""
    if device.type == "cpu":
        return loader
    need = VALUE * int(_lengths(loader, loader.rows).sum()) + CELL * len(loader.rows)
    free = torch.cuda.mem_get_info(device)[0]
    fits = need <= ROOM * free
    log.info(
        "cells take %d MB, %d MB are free on the GPU: %s",
        need >> 20, free >> 20, "they lie there" if fits else "sent batch by batch",
    )  # fmt: skip
    return Resident(loader, device) if fits else Streamed(loader, device)


class Resident:
    """All cells of a loader on a device.

    Args:
        loader: says which cells a batch holds.
        device: where they lie.
    """

    def __init__(self, loader: Loader, device: torch.device) -> None:
        self._loader, self._device = loader, device
        self._length_N = _lengths(loader, loader.rows)  # here too: no batch waits for the device
        starts = np.cumsum(self._length_N) - self._length_N
        self._held = _held(loader, int(self._length_N.sum()), device)
        self._start_N = torch.from_numpy(starts).to(device)

    def batch(self, step: int) -> Batch:
        """The batch of a step, >= 0."""
        chosen, _ = self._loader.positions(step)
        values = int(self._length_N[chosen].sum())
        part = self._held.rows(torch.from_numpy(chosen).to(self._device), self._start_N, values)
        return _batch(self._loader, step, part)


class Streamed:
    """Batches sent to a device as they are stored; a thread packs the next one meanwhile."""

    def __init__(self, loader: Loader, device: torch.device) -> None:
        self._loader, self._device = loader, device
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        self._next: tuple[int, Future[Compact]] | None = None

    def batch(self, step: int) -> Batch:
        """The batch of a step, >= 0."""
        if self._next is None or self._next[0] != step:
            self._ask(step)
        assert self._next is not None
        part = self._next[1].result()
        self._ask(step + 1)
        return _batch(self._loader, step, part.to(self._device))

    def _ask(self, step: int) -> None:
        self._next = step, self._pool.submit(self._pack, step)

    def _pack(self, step: int) -> Compact:
        chosen, _ = self._loader.positions(step)
        return packed(self._loader, self._loader.rows[chosen])


def _held(loader: Loader, values: int, device: torch.device) -> Compact:
    """All cells of a loader on a device, sent in chunks."""
    from selfcell.data.gather import Compact

    whole: dict[str, Tensor] = {}
    lists: dict[str, list[Tensor]] = {}
    done, n_genes = 0, 0
    for first in range(0, len(loader.rows), CHUNK):
        part = packed(loader, loader.rows[first : first + CHUNK]).to(device)
        n_genes, stop = part.n_genes, done + len(part.count_V)
        for name in ("gene_V", "count_V"):  # in place: twice their memory may not be there
            own = getattr(part, name)
            whole.setdefault(name, own.new_empty(values))[done:stop] = own
        for name in ("length_B", "large_value", "scale_B"):
            lists.setdefault(name, []).append(getattr(part, name))
        lists.setdefault("large_position", []).append(part.large_position + done)
        done = stop
    joined = {name: torch.cat(parts) for name, parts in lists.items()}
    return Compact(**whole, **joined, n_genes=n_genes)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """A batch that was made on the processor, on a device."""
    noise = Noise(batch.noise.seed, batch.noise.step, batch.noise.cell_B.to(device))
    label_B = None if batch.label_B is None else batch.label_B.to(device)
    x_BG, count_BG, total_B = (
        each.to(device) for each in (batch.x_BG, batch.count_BG, batch.total_B)
    )
    return Batch(x_BG, count_BG, total_B, noise, label_B)


def _batch(loader: Loader, step: int, part: Compact) -> Batch:
    """A batch out of its cells as they are stored, where those lie."""
    x_BG, count_BG = part.both()
    total_B, key_B, label_B = (
        None if each is None else torch.from_numpy(each).to(x_BG.device)
        for each in loader.about(step)
    )
    assert total_B is not None and key_B is not None
    return Batch(x_BG, count_BG, total_B, Noise(loader.seed, step, key_B), label_B)


def _lengths(loader: Loader, index: np.ndarray) -> np.ndarray:
    """(len(index),) int64 values of each cell, as `packed` has them."""
    if isinstance(loader.source, StoreCells):
        return loader.reader.lengths(index)
    return np.diff(loader.source.rows(index).indptr).astype(np.int64)


def packed(loader: Loader, index: np.ndarray) -> Compact:
    """Cells of a loader's source as they are stored, or those in memory as if they were.

    Raises DataError for a cell without counts.
    """
    if isinstance(loader.source, StoreCells):
        return loader.reader.compact(index)
    from selfcell.data.gather import Compact

    counts: csr_matrix = loader.source.rows(index)
    full = np.flatnonzero(counts.data >= 255)
    wide = counts.shape[1] > 1 << 16
    gene_V = counts.indices.astype(np.int32 if wide else np.uint16)
    return Compact(
        length_B=torch.from_numpy(np.diff(counts.indptr).astype(np.int64)),
        gene_V=torch.from_numpy(gene_V if wide else gene_V.view(np.int16)),
        count_V=torch.from_numpy(np.minimum(counts.data, 255).astype(np.uint8)),
        large_position=torch.from_numpy(full),
        large_value=torch.from_numpy(counts.data[full].astype(np.float32)),
        scale_B=torch.from_numpy(scale(loader.source.total_N[index])),
        n_genes=counts.shape[1],
    )
