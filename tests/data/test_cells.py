from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from selfcell.data.cells import StoreCells, cell_keys, log_normalise
from selfcell.errors import DataError, StoreError
from tests.data.factory import make_cells, make_store


def test_normalisation_is_log1p_of_counts_per_ten_thousand() -> None:
    counts = np.array([[0, 2, 5], [1, 0, 0]], dtype=np.float32)
    x = log_normalise(sparse.csr_matrix(counts), np.array([20, 4])).toarray()
    assert x.dtype == np.float32
    assert np.allclose(x, np.log1p(counts / [[20], [4]] * 1e4), rtol=1e-6)


@pytest.mark.parametrize("total", [0, -1, np.nan])
def test_a_cell_without_counts_is_refused(total: float) -> None:
    with pytest.raises(DataError, match="first: row 1"):
        log_normalise(sparse.csr_matrix(np.ones((2, 3), dtype=np.float32)), np.array([3, total]))


def test_keys_depend_on_the_id_alone() -> None:
    keys = cell_keys(["a:1", "a:2", "b:1"])
    assert keys.dtype == np.int64
    assert (keys >= 0).all()
    assert len(set(keys.tolist())) == 3
    assert cell_keys(["b:1"])[0] == keys[2]


def test_cells_of_two_stores_come_in_the_order_asked(tmp_path: Path) -> None:
    a, b = make_cells("a", 20), make_cells("b", 30)
    stores = [make_store(tmp_path, cells, name) for name, cells in (("a", a), ("b", b))]
    cells = StoreCells.of([(stores[0], np.arange(5, 20)), (stores[1], np.arange(30))])
    everything = np.vstack([a.X.toarray()[5:], b.X.toarray()])
    index = np.array([44, 0, 15, 14, 3, 15])
    assert np.array_equal(cells.rows(index).toarray(), everything[index])
    totals = np.concatenate([a.obs["total_counts"][5:], b.obs["total_counts"]])
    assert np.array_equal(cells.total_N, totals)
    assert cells.ids[14:16] == ("a:cell19", "b:cell0")


def test_genes_that_one_data_set_lacks_are_zero_in_both(tmp_path: Path) -> None:
    a = make_store(tmp_path, make_cells("a", 20), "a")
    b = make_store(tmp_path, make_cells("b", 20, genes=range(30)), "b")
    cells = StoreCells.of([(a, np.arange(20)), (b, np.arange(20))])
    assert cells.measured_G.tolist() == [True] * 30 + [False] * 10
    counts = cells.rows(np.arange(40)).toarray()
    assert not counts[:, 30:].any()
    assert np.array_equal(counts[:20, :30], a.rows(np.arange(20)).toarray()[:, :30])
    assert StoreCells.of([(a, np.arange(20))]).rows(np.arange(20)).toarray()[:, 30:].any()


def test_stores_of_different_vocabularies_do_not_mix(tmp_path: Path) -> None:
    a = make_store(tmp_path, make_cells("a"), "a")
    b = make_store(tmp_path, make_cells("b"), "b", genes=range(39))
    with pytest.raises(StoreError, match="vocabularies"):
        StoreCells.of([(a, np.arange(3)), (b, np.arange(3))])


def test_cells_by_name(tmp_path: Path) -> None:
    store = make_store(tmp_path, make_cells())
    cells = StoreCells.named(store, ["a:cell9", "a:cell2"])
    assert np.array_equal(cells.rows(np.arange(2)).toarray(), store.rows([9, 2]).toarray())
    with pytest.raises(DataError, match="no cell 'a:nobody'"):
        StoreCells.named(store, ["a:cell1", "a:nobody"])
