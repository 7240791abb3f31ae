"""The fused read against NumPy's, bit by bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from selfcell.data.cells import StoreCells, log_normalise
from selfcell.data.gather import Reader
from selfcell.data.store import Store
from selfcell.data.writer import write_blocks
from selfcell.errors import DataError
from selfcell.keys import generator
from tests.data.factory import make_cells, vocabulary


def stored(folder: Path, name: str, n: int, genes: range, shard: int = 1000) -> Store:
    """A store with counts of every size on 16- or 32-bit genes."""
    cells = make_cells(name, n)
    counts = generator("large", name).integers(0, 700, size=(n, 40)).astype(np.float32)
    counts[counts > 400] = 0
    counts[1, 0] = 70_000
    cells.X = sparse.csr_matrix(counts)
    cells.obs["total_counts"] = counts.sum(axis=1).astype(int) + 9
    path = folder / f"{name}{len(genes)}"
    write_blocks([cells], vocabulary(genes), path, shard_cells=shard)
    return Store.open(path)


@pytest.fixture(params=["one", "shards", "wide", "two", "lacking"])
def cells(request: pytest.FixtureRequest, tmp_path: Path) -> StoreCells:
    """Cells of one shard, of many, of more than 65,536 genes, of two stores, and of two stores of
    which one lacks genes."""
    if request.param in ("one", "shards", "wide"):
        genes = range(70_000 if request.param == "wide" else 40)
        store = stored(tmp_path, "a", 90, genes, 7 if request.param == "shards" else 1000)
        return StoreCells.of([(store, np.arange(90))])
    few = range(40)
    one = stored(tmp_path, "a", 90, few, 20)
    two = stored(tmp_path, "b", 60, few)
    if request.param == "lacking":
        cells = make_cells("c", 60, genes=range(0, 40, 2))
        write_blocks([cells], vocabulary(few), tmp_path / "c")
        two = Store.open(tmp_path / "c")
    return StoreCells.of([(one, np.arange(3, 90)), (two, np.arange(60))])


@pytest.mark.parametrize("threads", [1, 3])
def test_dense_and_sparse_have_the_bits_of_numpy(cells: StoreCells, threads: int) -> None:
    reader = Reader(cells, threads)
    index = generator("index").integers(0, len(cells), size=50)
    counts = cells.rows(index)
    expected = log_normalise(counts, cells.total_N[index])
    out = np.full(expected.shape, np.nan, dtype=np.float32)
    assert reader.dense(index, out) is out
    assert np.array_equal(out, expected.toarray())
    assert np.array_equal(reader.dense(index, raw=True), counts.toarray())
    found = reader.sparse(index)
    for name in ("indptr", "indices", "data"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_a_compact_batch_unpacks_to_the_same_cells(cells: StoreCells) -> None:
    index = generator("index").integers(0, len(cells), size=50)
    batch = Reader(cells).compact(index).to(torch.device("cpu"))
    assert batch.count_V.dtype == torch.uint8
    expected = log_normalise(cells.rows(index), cells.total_N[index]).toarray()
    np.testing.assert_allclose(batch.dense().numpy(), expected, rtol=1e-6)


def test_rows_at_any_alignment_are_written_in_full(tmp_path: Path) -> None:
    for genes in (1, 15, 16, 17, 33):
        store = stored(tmp_path, "a", 30, range(genes))
        cells = StoreCells.of([(store, np.arange(30))])
        index = np.arange(30)[::-1]
        expected = log_normalise(cells.rows(index), cells.total_N[index]).toarray()
        memory = np.full(30 * genes + 16, np.nan, dtype=np.float32)
        for offset in range(16):
            out = memory[offset : offset + 30 * genes].reshape(30, genes)
            assert np.array_equal(Reader(cells).dense(index, out), expected)
        assert np.isnan(memory[30 * genes + 15 :]).all()


def test_no_cells_and_cells_without_counts(cells: StoreCells) -> None:
    reader = Reader(cells)
    nothing = np.empty(0, dtype=np.int64)
    assert reader.dense(nothing).shape == (0, reader.n_genes)
    assert reader.sparse(nothing).nnz == 0
    cells.total_N[4] = 0
    for read in (reader.dense, reader.sparse, reader.compact):
        with pytest.raises(DataError, match="first: row 1"):
            read(np.array([5, 4]))
