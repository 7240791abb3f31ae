"""Read cells of stores as the network wants them: normalised while they are read.

A count below `TABLE` is looked up in its cell's row of logarithms, the few others are computed one
by one; so counts of 8 bits turn into a dense or sparse batch in one pass, with `log_normalise`'s
bits. Several threads share a batch.

Shape suffixes: B cells of a batch, V their values, G genes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from selfcell.data import kernels
from selfcell.data.cells import StoreCells, scale
from selfcell.data.store import Shard

TABLE = 64  # counts; a longer table costs logarithms that few cells need


@dataclass(frozen=True)
class Compact:
    """A batch on its way to the device that unpacks it: three bytes a value.

    Attributes:
        length_B: int64 values of each cell.
        gene_V: gene numbers, the bits of uint16 in int16, or int32.
        count_V: uint8 counts, those above 255 as 255.
        large_position, large_value: int64 places of those in `count_V`; float32, what they are.
        scale_B: float32 factor of each cell.
        n_genes: columns.
    """

    length_B: Tensor
    gene_V: Tensor
    count_V: Tensor
    large_position: Tensor
    large_value: Tensor
    scale_B: Tensor
    n_genes: int

    def to(self, device: torch.device) -> Compact:
        """A copy there; beside what runs, if that is a GPU (the memory is pinned for it)."""
        fields = {name: value for name, value in vars(self).items() if name != "n_genes"}
        return Compact(**{k: send(v, device) for k, v in fields.items()}, n_genes=self.n_genes)

    def rows(self, index_B: Tensor, start_N: Tensor, values: int) -> Compact:
        """Some of the cells.

        Args:
            index_B: int64 which, on the same device.
            start_N: int64 place of each cell's first value. values: of the chosen cells, in all.
        """
        length_B = self.length_B[index_B]
        shift_B = start_N[index_B] - (length_B.cumsum(0) - length_B)
        place_V = torch.arange(values, device=index_B.device)
        place_V += torch.repeat_interleave(shift_B, length_B, output_size=values)
        count_V = self.count_V[place_V]
        full = (count_V == 255).nonzero()[:, 0]
        large = self.large_value[torch.searchsorted(self.large_position, place_V[full])]
        return Compact(
            length_B, self.gene_V[place_V], count_V, full, large, self.scale_B[index_B],
            self.n_genes,
        )  # fmt: skip

    def dense(self) -> Tensor:
        """(B, G) float32 log1p of counts per 10,000, made where the batch lies.

        Equal to `Reader.dense` but for the last bit of a logarithm.
        """
        owner_V, gene_V, value_V = self._values()
        return self._scatter(owner_V, gene_V, torch.log1p(value_V * self.scale_B[owner_V]))

    def both(self) -> tuple[Tensor, Tensor]:
        """`dense` and (B, G) float32 counts."""
        owner_V, gene_V, value_V = self._values()
        log_V = torch.log1p(value_V * self.scale_B[owner_V])
        pair = (self._scatter(owner_V, gene_V, each_V) for each_V in (log_V, value_V))
        return next(pair), next(pair)

    def _values(self) -> tuple[Tensor, Tensor, Tensor]:
        """Cell, gene and count of each value."""
        cells = torch.arange(len(self.length_B), device=self.length_B.device)
        owner_V = torch.repeat_interleave(cells, self.length_B, output_size=len(self.count_V))
        gene_V = self.gene_V.long()
        if self.gene_V.dtype == torch.int16:
            gene_V &= 0xFFFF
        value_V = self.count_V.float()
        value_V[self.large_position] = self.large_value
        return owner_V, gene_V, value_V

    def _scatter(self, owner_V: Tensor, gene_V: Tensor, value_V: Tensor) -> Tensor:
        out_BG = value_V.new_zeros(len(self.length_B), self.n_genes)
        out_BG[owner_V, gene_V] = value_V
        return out_BG


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device; to a GPU out of pinned memory, without waiting for it."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Memory:
    """Arrays that are written again and again; they grow with what is asked for."""

    def __init__(self) -> None:
        self._arrays: dict[type, np.ndarray] = {}

    def array(self, kind: type, n: int) -> np.ndarray:
        """The first n numbers of the array of a kind, whatever they hold."""
        if kind not in self._arrays or len(self._arrays[kind]) < n:
            self._arrays[kind] = np.empty(n + n // 8, dtype=kind)
        return self._arrays[kind][:n]


class Reader:
    """Reads batches of cells.

    Args:
        cells: of stores.
        threads: that share a batch, above 0.
    """

    def __init__(self, cells: StoreCells, threads: int = 1) -> None:
        self._cells, self._threads = cells, threads
        self._shards = [shard for store in cells.parts for shard in store.shards]
        self.n_genes = cells.parts[0].n_genes
        lacking = ~cells.measured_G if len(cells.parts) > 1 else np.zeros(0, dtype=bool)
        self._missing = np.flatnonzero(lacking)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="gather")

    def dense(
        self, index: np.ndarray, out_BG: np.ndarray | None = None, *, raw: bool = False
    ) -> np.ndarray:
        """(len(index), G) float32 log1p of counts per 10,000, or with `raw` the counts.

        Args:
            out_BG: array to fill; None makes one. One that is used again spares the system a
                fresh page for every page written.

        Raises DataError for a cell without counts.
        """
        if out_BG is None:
            out_BG = np.empty((len(index), self.n_genes), dtype=np.float32)
        factor_B = self._factor(index)
        value_BL = self._values(factor_B, raw)

        def fill(shard: Shard, start: np.ndarray, stop: np.ndarray, place: np.ndarray) -> None:
            large = np.empty((int((stop - start).sum()), 2), dtype=np.int64)
            row_G = np.zeros(self.n_genes, dtype=np.float32)
            found = kernels.fill_dense(
                shard.indices, shard.counts, start, stop, place, value_BL, self._missing,
                row_G, out_BG, large,
            )  # fmt: skip
            chosen, at = large[:found].T
            cell = place[chosen]
            gene = shard.indices[at]
            count = shard.exact(at)
            value = count if raw else np.log1p(count * factor_B[cell])
            out_BG[cell, gene] = np.where(np.isin(gene, self._missing), 0, value)

        self._each(index, fill)
        return out_BG

    def sparse(self, index: np.ndarray, memory: Memory | None = None) -> sparse.csr_matrix:
        """(len(index), G) float32 log1p of counts per 10,000. DataError: a cell without counts.

        Args:
            memory: to lay the matrix in; None takes new.
        """
        memory = memory or Memory()
        factor_B = self._factor(index)
        value_BL = self._values(factor_B, raw=False)
        indptr = self._indptr(index)
        indices = memory.array(np.int32, int(indptr[-1]))
        data = memory.array(np.float32, int(indptr[-1]))

        def fill(shard: Shard, start: np.ndarray, stop: np.ndarray, place: np.ndarray) -> None:
            large = np.empty((int((stop - start).sum()), 2), dtype=np.int64)
            found = kernels.fill_sparse(
                shard.indices, shard.counts, start, stop, place, value_BL, indptr,
                indices, data, large,
            )  # fmt: skip
            chosen, at = large[:found].T
            cell = place[chosen]
            to = indptr[cell] + at - start[chosen]
            data[to] = np.log1p(shard.exact(at) * factor_B[cell])

        self._each(index, fill)
        shape = (len(index), self.n_genes)
        matrix = sparse.csr_matrix(shape, dtype=np.float32)
        # Set, not passed: the constructor reads all of them to check what is so by construction.
        matrix.data, matrix.indices, matrix.indptr = data, indices, indptr.astype(np.int32)
        matrix.has_canonical_format = True
        if len(self._missing):
            data[np.isin(indices, self._missing)] = 0
            matrix.eliminate_zeros()
        return matrix

    def compact(self, index: np.ndarray) -> Compact:
        """The cells as they are stored, in one piece. Raises DataError: a cell without counts."""
        factor_B, indptr = self._factor(index), self._indptr(index)
        gene_V = np.empty(indptr[-1], dtype=self._shards[0].indices.dtype)
        count_V = np.empty(indptr[-1], dtype=np.uint8)

        def fill(shard: Shard, start: np.ndarray, stop: np.ndarray, place: np.ndarray) -> None:
            kernels.take(shard.indices, shard.counts, start, stop, place, indptr, gene_V, count_V)

        self._each(index, fill)
        full = np.flatnonzero(count_V == 255)
        cell = np.searchsorted(indptr, full, side="right") - 1
        shard_B, row_B = self._cells.locate(index)
        large = np.empty(len(full), dtype=np.float32)
        for number in np.unique(shard_B[cell]):
            shard, here = self._shards[number], shard_B[cell] == number
            first = shard.indptr[row_B[cell[here]]]
            large[here] = shard.exact(first + full[here] - indptr[cell[here]])
        if len(self._missing):
            absent = np.isin(gene_V, self._missing)
            count_V[absent] = 0
            large[absent[full]] = 0
        signed = np.int16 if gene_V.dtype == np.uint16 else np.int32
        return Compact(
            length_B=torch.from_numpy(np.diff(indptr)),
            gene_V=torch.from_numpy(gene_V.view(signed)),
            count_V=torch.from_numpy(count_V),
            large_position=torch.from_numpy(full),
            large_value=torch.from_numpy(large),
            scale_B=torch.from_numpy(factor_B),
            n_genes=self.n_genes,
        )

    def _factor(self, index: np.ndarray) -> np.ndarray:
        return scale(self._cells.total_N[index])

    def _values(self, factor_B: np.ndarray, raw: bool) -> np.ndarray:
        count_L = np.arange(TABLE, dtype=np.float32)
        if raw:
            return np.tile(count_L, (len(factor_B), 1))
        return np.log1p(count_L * factor_B[:, None])

    def lengths(self, index: np.ndarray) -> np.ndarray:
        """(len(index),) int64 values of each cell."""
        shard_B, row_B = self._cells.locate(index)
        length_B = np.empty(len(index), dtype=np.int64)
        for number in np.unique(shard_B):
            here = shard_B == number
            pointer, row = self._shards[number].indptr, row_B[here]
            length_B[here] = pointer[row + 1] - pointer[row]
        return length_B

    def _indptr(self, index: np.ndarray) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.lengths(index))])

    def _each(
        self, index: np.ndarray, fill: Callable[[Shard, np.ndarray, np.ndarray, np.ndarray], None]
    ) -> None:
        """Call `fill` with the cells of each shard, in the order they are stored in."""
        shard_B, row_B = self._cells.locate(index)
        order = np.lexsort((row_B, shard_B))

        def work(part: np.ndarray) -> None:
            cuts = np.flatnonzero(np.diff(shard_B[part])) + 1
            for place in np.split(part, cuts):
                if len(place):
                    shard, row = self._shards[shard_B[place[0]]], row_B[place]
                    fill(shard, shard.indptr[row], shard.indptr[row + 1], place)

        list(self._pool.map(work, np.array_split(order, self._threads)))
