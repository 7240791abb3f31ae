import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfcell.data.store import Store, open_stores
from selfcell.data.writer import write_store
from selfcell.errors import ConfigError, DataError, StoreError
from tests.data.factory import gene_ids, make_cells, make_store, vocabulary


def test_round_trip_is_exact(tmp_path: Path) -> None:
    cells = make_cells(n=200)
    back = make_store(tmp_path, cells).to_anndata()
    assert (back.X != cells.X).nnz == 0
    assert back.X.dtype == np.float32
    assert back.obs_names.tolist() == cells.obs_names.tolist()
    assert back.var_names.tolist() == cells.var_names.tolist()
    assert back.var["symbol"].tolist() == cells.var["symbol"].tolist()
    for name in ("label", "donor", "batch", "condition", "total_counts"):
        assert back.obs[name].tolist() == cells.obs[name].tolist()


def test_counts_above_255_and_255_itself(tmp_path: Path) -> None:
    store = make_store(tmp_path, make_cells())
    assert store.rows(np.array([0])).toarray()[0, :3].tolist() == [255, 256, 70_000]


def test_rows_come_in_the_order_asked_with_repeats(tmp_path: Path) -> None:
    cells = make_cells()
    store = make_store(tmp_path, cells)
    index = np.array([5, 0, 119, 5])
    assert np.array_equal(store.rows(index).toarray(), cells.X.toarray()[index])
    assert np.array_equal(store.total_N[index], cells.obs["total_counts"].to_numpy()[index])
    assert store.rows(np.array([], dtype=int)).shape == (0, 40)
    for outside in (120, -1):
        with pytest.raises(IndexError):
            store.rows(np.array([outside]))


def test_genes_follow_the_vocabulary_and_missing_ones_are_zero_and_flagged(tmp_path: Path) -> None:
    cells = make_cells(genes=[7, 2, 9, 4])
    store = make_store(tmp_path, cells, genes=[2, 3, 7])
    assert store.gene_ids == gene_ids([2, 3, 7])
    assert store.symbols == ["S2", "S3", "S7"]
    assert store.measured_G.tolist() == [True, False, True]
    expected = cells.X.toarray()[:, [1, 0, 0]] * np.array([1, 0, 1])
    assert np.array_equal(store.rows(np.arange(store.n_cells)).toarray(), expected)


def test_without_overflow_and_without_any_count(tmp_path: Path) -> None:
    cells = make_cells(genes=[0, 1, 2, 3])
    assert make_store(tmp_path, cells, "one", [3]).rows(np.arange(120)).max() <= 255
    empty = make_store(tmp_path, cells, "none", [77])
    assert empty.rows(np.arange(120)).nnz == 0


def test_many_genes_take_wider_numbers(tmp_path: Path) -> None:
    numbers = range(70_000)
    store = make_store(tmp_path, make_cells(genes=range(69_990, 70_000)), genes=numbers)
    assert store.rows(np.arange(5)).indices.min() >= 69_990


def test_the_same_cells_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_store(tmp_path, make_cells(), name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


@pytest.mark.parametrize(
    "name", ["counts-00000.u8", "indices-00000.u16", "total.u32", "obs.parquet"]
)
def test_a_flipped_bit_is_refused(tmp_path: Path, name: str) -> None:
    file = make_store(tmp_path, make_cells()).path / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(StoreError, match=f"{name} has sha256"):
        Store.open(file.parent)


def test_a_missing_or_truncated_file_is_refused_even_unverified(tmp_path: Path) -> None:
    path = make_store(tmp_path, make_cells()).path
    (path / "counts-00000.u8").write_bytes(b"\0")
    with pytest.raises(StoreError, match="has 1 bytes"):
        Store.open(path, verify=False)
    (path / "counts-00000.u8").unlink()
    with pytest.raises(StoreError, match="lacks counts-00000.u8"):
        Store.open(path, verify=False)


def test_an_altered_manifest_is_refused(tmp_path: Path) -> None:
    path = make_store(tmp_path, make_cells()).path
    file = path / "manifest.json"
    for change, message in (
        ({"n_cells": 3}, "altered"),
        ({"version": 1}, "format version 1"),
        ({"format": "zarr"}, "not a cell store"),
    ):
        original = json.loads(file.read_text())
        file.write_text(json.dumps(original | change))
        with pytest.raises(StoreError, match=message):
            Store.open(path)
        file.write_text(json.dumps(original))
    assert Store.open(path).n_cells == 120


def test_a_folder_without_manifest_is_unfinished(tmp_path: Path) -> None:
    path = make_store(tmp_path, make_cells()).path
    for content in (None, "{", "\x00"):
        (path / "manifest.json").unlink()
        if content is not None:
            (path / "manifest.json").write_text(content)
        with pytest.raises(StoreError, match="no finished cell store"):
            Store.open(path)
        (path / "manifest.json").touch()
    with pytest.raises(StoreError, match="no finished cell store"):
        Store.open(tmp_path / "nowhere")


def test_a_failed_write_leaves_what_stood_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make_store(tmp_path, make_cells()).manifest

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("selfcell.data.writer.write_manifest", full)
    with pytest.raises(OSError, match="No space"):
        write_store(make_cells("b"), vocabulary(range(40)), tmp_path / "a")
    assert Store.open(tmp_path / "a").manifest == before
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_store_can_be_moved(tmp_path: Path) -> None:
    path = make_store(tmp_path, make_cells()).path
    shutil.move(path, tmp_path / "elsewhere")
    assert Store.open(tmp_path / "elsewhere").obs.index[3] == "a:cell3"


@pytest.mark.parametrize("value", [1.5, -1.0, np.nan, np.inf, 2.0**24])
def test_values_that_are_no_counts_are_refused(tmp_path: Path, value: float) -> None:
    cells = make_cells()
    cells.X[3, 4] = value
    with pytest.raises(DataError, match="cell a:cell3 holds the value"):
        make_store(tmp_path, cells)
    assert not list(tmp_path.iterdir())


def test_totals_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for wrong in (0, 5, 2**32):
        cells = make_cells()
        cells.obs.loc["a:cell7", "total_counts"] = wrong
        with pytest.raises(DataError, match=f"cell a:cell7 has total_counts {wrong}"):
            make_store(tmp_path, cells)


def test_repeated_genes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="vocabulary names a gene twice"):
        make_store(tmp_path, make_cells(), genes=[1, 1])
    cells = make_cells(genes=[1, 2, 3])
    cells.var.index = gene_ids([1, 1, 2])
    with pytest.raises(DataError, match="twice among the cells"):
        make_store(tmp_path, cells)


def test_proteins_are_kept_with_their_cells_and_checked(tmp_path: Path) -> None:
    cells = make_cells(n=30)
    counts = np.arange(60, dtype=np.float32).reshape(30, 2)
    cells.obsm["protein"] = pd.DataFrame(counts, index=cells.obs_names, columns=["CD3", "CD4"])
    store = make_store(tmp_path, cells)
    assert store.protein.loc["a:cell3"].to_dict() == {"CD3": 6, "CD4": 7}
    assert list(store.protein.index) == list(store.obs.index)
    file = store.path / "protein.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="protein.parquet has sha256"):
        Store.open(store.path)


def test_a_scripts_stores_come_by_name_with_their_digests(tmp_path: Path) -> None:
    made = {name: make_store(tmp_path, make_cells(name), name) for name in "ab"}
    options = [f"{name}={store.path}" for name, store in made.items()]
    stores, digests = open_stores(options)
    assert [store.path for store in stores.values()] == [store.path for store in made.values()]
    assert digests == {name: store.manifest["sha256"] for name, store in made.items()}
    assert digests["a"] != digests["b"]
    with pytest.raises(ConfigError, match="each name once"):
        open_stores([options[0], options[0]])
