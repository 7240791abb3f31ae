"""Batches that are unpacked on a device are the loader's, from stores and from memory.

The device is the processor here: the code is the same, and what a GPU adds is where it lies.
"""

import numpy as np
import pytest
import torch
from scipy import sparse

from selfcell.data import device
from selfcell.data.cells import MemoryCells, StoreCells
from selfcell.data.device import Resident, Streamed, on_device, to_device
from selfcell.data.loader import Loader
from selfcell.errors import DataError
from tests.data import factory

CPU = torch.device("cpu")


def in_memory():
    """Cells with counts on both sides of a byte's range."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.5, (50, 30)).astype(np.float32)
    counts[:, 3] = rng.choice([1, 254, 255, 256, 70_000], 50)
    total = counts.sum(1).astype(np.int64)
    return MemoryCells(sparse.csr_matrix(counts), total, np.arange(50, dtype=np.int64))


def in_store(tmp_path):
    store = factory.make_store(tmp_path, factory.make_cells(n=50))
    return StoreCells.of([(store, np.arange(store.n_cells))])


@pytest.fixture(params=["memory", "store"])
def source(request, tmp_path):
    return in_memory() if request.param == "memory" else in_store(tmp_path)


@pytest.mark.parametrize("kind", [Resident, Streamed])
@pytest.mark.parametrize("ranks", [1, 2])
def test_batches_are_the_loaders(source, kind, ranks, monkeypatch):
    monkeypatch.setattr(device, "CHUNK", 7)  # so that cells are sent in several pieces
    rows = np.arange(len(source.total_N))[3:]
    labels = np.arange(len(rows)) % 4
    loader = Loader(source, rows, 16, 5, label_N=labels, rank=ranks - 1, ranks=ranks)
    there = kind(loader, CPU)
    for step in (0, 1, 2, 3, 4, 0, 9):  # over the end of an epoch, and back
        want, got = loader.batch(step), there.batch(step)
        assert torch.equal(got.count_BG, want.count_BG)
        assert torch.allclose(got.x_BG, want.x_BG, rtol=3e-7, atol=0)
        assert torch.equal(got.total_B, want.total_B)
        assert torch.equal(got.label_B, want.label_B)
        assert torch.equal(got.noise.cell_B, want.noise.cell_B)
        assert (got.noise.seed, got.noise.step) == (want.noise.seed, want.noise.step)


@pytest.mark.parametrize("kind", [Resident, Streamed])
def test_a_cell_without_counts_is_refused(kind):
    cells = in_memory()
    empty = MemoryCells(cells.counts, cells.total_N * (np.arange(50) != 7), cells.key_N)
    with pytest.raises(DataError, match="cells without counts"):
        kind(Loader(empty, np.arange(50), 50, 0), CPU).batch(0)


def test_the_processor_takes_the_loader_itself(source):
    loader = Loader(source, np.arange(20), 4, 0)
    assert on_device(loader, CPU) is loader
    assert torch.equal(to_device(loader.batch(0), CPU).x_BG, loader.batch(0).x_BG)


@pytest.mark.parametrize(("free", "kind"), [(1 << 30, "Resident"), (1 << 10, "Streamed")])
def test_cells_lie_on_the_gpu_where_they_fit(source, free, kind, monkeypatch):
    made = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 1 << 40))
    for name in ("Resident", "Streamed"):
        monkeypatch.setattr(device, name, lambda *args, name=name: made.append((name, args)))
    loader, gpu = Loader(source, np.arange(20), 4, 0), torch.device("cuda")
    on_device(loader, gpu)
    assert made == [(kind, (loader, gpu))]
