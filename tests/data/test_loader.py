import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from selfcell.data.cells import MemoryCells, StoreCells, cell_keys
from selfcell.data.loader import Loader, normalise
from selfcell.data.order import BlockOrder
from selfcell.data.store import Store
from selfcell.data.writer import write_store
from selfcell.errors import ConfigError, DataError
from selfcell.methods.base import Batch
from tests.data.factory import make_cells, make_store, vocabulary

N = 50


@pytest.fixture
def cells(tmp_path: Path) -> StoreCells:
    store = make_store(tmp_path, make_cells(n=60))
    return StoreCells.of([(store, np.arange(60))])


def positions(loader: Loader, start: int, stop: int) -> list[int]:
    return [int(i) for step in range(start, stop) for i in loader.positions(step)[0]]


def same(one: Batch, two: Batch) -> bool:
    return (
        torch.equal(one.x_BG, two.x_BG)
        and torch.equal(one.count_BG, two.count_BG)
        and torch.equal(one.noise.cell_B, two.noise.cell_B)
        and one.noise.step == two.noise.step
    )


def test_every_cell_once_per_epoch_across_batch_borders(cells: StoreCells) -> None:
    sequence = positions(Loader(cells, np.arange(N), 16, 0), 0, 25)  # 400 cells: 8 epochs
    epochs = [sequence[i : i + N] for i in range(0, 400, N)]
    assert all(sorted(epoch) == list(range(N)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_batches_depend_on_seed_and_step_alone(cells: StoreCells) -> None:
    first, second = (Loader(cells, np.arange(N), 16, 3) for _ in range(2))
    late = second.batch(9)
    assert same([first.batch(step) for step in range(10)][9], late)
    assert not same(Loader(cells, np.arange(N), 16, 4).batch(9), late)


def test_batch_holds_the_cells_it_names(cells: StoreCells) -> None:
    rows = np.arange(10, 60)
    loader = Loader(cells, rows, 16, 0)
    batch = loader.batch(1)
    index = rows[loader.positions(1)[0]]
    assert np.array_equal(batch.count_BG.numpy(), cells.rows(index).toarray())
    assert torch.equal(batch.x_BG, normalise(cells.rows(index), cells.total_N[index]))
    assert np.array_equal(batch.total_B.numpy(), cells.total_N[index].astype(np.float32))
    assert np.array_equal(batch.noise.cell_B.numpy(), cells.key_N[index])
    assert (batch.x_BG.dtype, batch.count_BG.dtype, batch.total_B.dtype) == (torch.float32,) * 3
    assert (batch.noise.seed, batch.noise.step, batch.label_B) == (0, 1, None)


def test_ranks_together_see_what_one_process_sees(cells: StoreCells) -> None:
    whole = Loader(cells, np.arange(N), 16, 0)
    parts = [Loader(cells, np.arange(N), 16, 0, rank=r, ranks=2) for r in range(2)]
    for step in (0, 3):  # batch 3 runs across the border of epochs
        together = whole.batch(step)
        for rank, part in enumerate(parts):
            mine = part.batch(step)
            assert torch.equal(mine.x_BG, together.x_BG[rank::2])
            assert torch.equal(mine.noise.cell_B, together.noise.cell_B[rank::2])


def test_copies_of_a_cell_within_a_batch_get_other_noise(cells: StoreCells) -> None:
    batch = Loader(cells, np.arange(3), 12, 0).batch(0)
    assert len({tuple(row) for row in batch.count_BG.tolist()}) == 3
    assert len(set(batch.noise.cell_B.tolist())) == 12
    assert (batch.noise.cell_B >= 0).all()
    assert set(cells.key_N[:3]) == set(batch.noise.cell_B[:3].tolist())


@pytest.mark.parametrize("ahead", [0, 1, 2, 5])
def test_prefetching_changes_nothing(cells: StoreCells, ahead: int) -> None:
    loader = Loader(cells, np.arange(N), 16, 0)
    batches = list(loader.stream(4, 8, ahead=ahead))
    assert [batch.noise.step for batch in batches] == [4, 5, 6, 7]
    assert all(same(batch, loader.batch(batch.noise.step)) for batch in batches)


def test_an_error_while_prefetching_is_raised() -> None:
    counts = make_cells(n=10).X
    total_N = np.array([9] * 9 + [0])
    cells = MemoryCells(counts, total_N, cell_keys(map(str, range(10))))
    with pytest.raises(DataError, match="without counts"):
        list(Loader(cells, np.arange(10), 10, 0).stream(0, 3))


def test_a_stream_may_be_left_early(cells: StoreCells) -> None:
    stream = Loader(cells, np.arange(N), 16, 0).stream(0, 10**9)
    assert next(stream).noise.step == 0
    stream.close()


def test_labels_stay_with_their_cells(cells: StoreCells) -> None:
    rows = np.arange(5, 14)
    loader = Loader(cells, rows, 64, 0, label_N=rows * 10)
    batch = loader.batch(0)
    assert batch.label_B is not None
    assert batch.label_B.dtype == torch.int64
    assert np.array_equal(batch.label_B.numpy(), rows[loader.positions(0)[0]] * 10)
    assert batch.x_BG.shape[0] == 64


def test_what_cannot_be_loaded(cells: StoreCells) -> None:
    with pytest.raises(DataError, match="no cells"):
        Loader(cells, np.arange(0), 16, 0)
    for batch, ranks in ((0, 1), (15, 2)):
        with pytest.raises(ConfigError, match="ranks"):
            Loader(cells, np.arange(N), batch, 0, ranks=ranks)
    with pytest.raises(ConfigError, match="3 labels for 50 cells"):
        Loader(cells, np.arange(N), 16, 0, label_N=np.arange(3))


def test_large_batches_have_the_bits_of_small_ones(
    cells: StoreCells, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_numpy = Loader(cells, np.arange(N), 16, 0).batch(3)
    monkeypatch.setattr("selfcell.data.loader.FUSED", 1)
    assert same(Loader(cells, np.arange(N), 16, 0, threads=2).batch(3), by_numpy)


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_dense_streams_write_their_arrays_anew(cells: StoreCells, ahead: int) -> None:
    loader = Loader(cells, np.arange(N), 16, 0)
    memory = set()
    streams = (
        loader.dense_stream(0, 9, ahead),
        loader.sparse_stream(0, 9, ahead),
        loader.stream(0, 9, ahead, reuse=True),
    )
    for step, (x_BG, sparse_BG, batch) in enumerate(zip(*streams, strict=True)):
        assert same(batch, loader.batch(step))
        assert np.array_equal(x_BG, loader.batch(step).x_BG.numpy())
        assert np.array_equal(x_BG, sparse_BG.toarray())
        memory.add(x_BG.ctypes.data)
    assert len(memory) == ahead + 1


def test_a_compact_batch_is_unpacked_where_it_lies(cells: StoreCells) -> None:
    loader = Loader(cells, np.arange(N), 16, 0)
    unpacked = loader.compact(2).to(torch.device("cpu")).dense()
    assert torch.allclose(unpacked, loader.batch(2).x_BG, rtol=1e-6)


@pytest.mark.parametrize("block", [1, 16])
def test_memory_does_not_grow_with_what_is_stored(tmp_path: Path, block: int) -> None:
    """A cell stored takes 3 bytes a value; what is kept of it, its place in some orders."""
    genes, peaks, kept = range(300), {}, {}
    for n in (1000, 1000, 4000):  # the first loads what is loaded once
        write_store(make_cells(n=n, genes=genes), vocabulary(genes), tmp_path / f"{n}", shuffle=0)
        tracemalloc.start()
        store = Store.open(tmp_path / f"{n}", verify=False)
        rows = np.arange(n)
        loader = Loader(StoreCells.of([(store, rows)]), rows, 100, 0, block=block)
        for stream in (loader.dense_stream, loader.sparse_stream):
            assert sum(x.shape[0] for x in stream(0, 2 * n // 100)) == 2 * n
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        kept[n] = store.manifest["n_values"] * 3
    assert peaks[4000] - peaks[1000] < 0.3 * (kept[4000] - kept[1000])


@pytest.mark.parametrize(
    ("n", "block", "window"), [(50, 4, 3), (50, 7, 100), (3, 8, 1), (48, 4, 3)]
)
def test_blocks_visit_every_cell_once_an_epoch(n: int, block: int, window: int) -> None:
    wanted: list[tuple[int, int]] = []
    order = BlockOrder(n, 0, block, window, lambda a, b: wanted.append((a, b)))
    epochs = [order.at(epoch, np.arange(n)) for epoch in range(3)]
    assert all(sorted(epoch) == list(range(n)) for epoch in epochs)
    assert n < 10 or not np.array_equal(epochs[0], epochs[1])
    again = BlockOrder(n, 0, block, window, lambda a, b: None)
    scattered = np.array([n - 1, 0, n // 2])
    assert np.array_equal(again.at(2, scattered), epochs[2][scattered])
    assert all(0 <= a < b <= n and b - a <= block for a, b in wanted)


def test_blocks_are_read_together_and_asked_for_ahead() -> None:
    wanted: list[tuple[int, int]] = []
    order = BlockOrder(1000, 0, 10, 4, lambda a, b: wanted.append((a, b)))
    first, second = order.at(0, np.arange(40)), order.at(0, np.arange(40, 80))
    assert len(set(first // 10)) == len(set(second // 10)) == 4
    assert {a // 10 for a, _ in wanted[:4]} == set(second // 10)


def test_blocks_need_a_store() -> None:
    cells = MemoryCells(make_cells(n=10).X, np.ones(10), cell_keys(map(str, range(10))))
    with pytest.raises(ConfigError, match="cells held in memory"):
        Loader(cells, np.arange(10), 5, 0, block=4)


def test_blocks_of_a_shuffled_store_are_as_mixed_as_single_cells(tmp_path: Path) -> None:
    """20 labels in runs of 100, the worst case: entropy of a batch's labels against theory."""
    made = make_cells(n=2000, label=np.repeat([f"t{i:02}" for i in range(20)], 100))
    write_store(made, vocabulary(range(40)), tmp_path / "s", shuffle=0)
    cells = StoreCells.of([(Store.open(tmp_path / "s"), np.arange(2000))])
    code_N = np.unique(cells.column("label"), return_inverse=True)[1]

    def entropy(loader: Loader) -> float:
        batches = [code_N[loader.positions(step)[0]] for step in range(10)]
        shares = np.array([np.bincount(batch, minlength=20) / 200 for batch in batches])
        return float(-(shares * np.log(np.maximum(shares, 1e-9))).sum(axis=1).mean())

    exact = entropy(Loader(cells, np.arange(2000), 200, 0))
    blocks = entropy(Loader(cells, np.arange(2000), 200, 0, block=16))
    assert blocks > 0.995 * exact
    assert 0.95 * np.log(20) < exact < np.log(20)
