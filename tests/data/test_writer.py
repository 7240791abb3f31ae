"""Writing stores: in a stream, shuffled through the disk, alone, and all or nothing."""

from __future__ import annotations

import errno
import mmap
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from selfcell.data import writer
from selfcell.data.claim import exclusive
from selfcell.data.compact import Columns
from selfcell.data.store import Store
from selfcell.data.writer import write_blocks, write_store
from selfcell.errors import DataError, StoreError
from selfcell.keys import generator
from tests.data.factory import make_cells, vocabulary
from tests.tree import REPO

GENES = vocabulary(range(40))


def blocks(cells: anndata.AnnData, size: int) -> Iterator[anndata.AnnData]:
    for start in range(0, cells.n_obs, size):
        yield cells[start : start + size]


def same_cells(store: Store, cells: anndata.AnnData) -> bool:
    """Whether a store holds exactly these cells, in whatever order."""
    back = store.to_anndata()[cells.obs_names]
    names = ["label", "donor", "batch", "condition"]
    return (
        (back.X != cells.X).nnz == 0
        and back.obs[names].equals(cells.obs[names].astype(str))
        and back.obs["total_counts"].tolist() == cells.obs["total_counts"].tolist()
    )


def with_protein(cells: anndata.AnnData) -> anndata.AnnData:
    counts = np.arange(2 * cells.n_obs).reshape(-1, 2)
    cells.obsm["protein"] = pd.DataFrame(counts, index=cells.obs_names, columns=["CD3", "CD4"])
    return cells


@pytest.mark.parametrize("shuffle", [None, 3])
@pytest.mark.parametrize(("size", "shard"), [(7, 50), (50, 7), (1000, 1000)])
def test_blocks_and_shards_of_any_size_hold_the_cells(
    tmp_path: Path, shuffle: int | None, size: int, shard: int
) -> None:
    cells = with_protein(make_cells(n=120))
    dense = cells.X.toarray()
    dense[60:, 0] = 255 + np.arange(60) % 2  # large counts in every shard
    cells.X = sparse.csr_matrix(dense)
    cells.obs["total_counts"] += 300
    path = tmp_path / "s"
    write_blocks(blocks(cells, size), GENES, path, shuffle=shuffle, expected=120, shard_cells=shard)
    store = Store.open(path)
    assert len(store.shards) == -(-120 // shard)
    assert same_cells(store, cells)
    assert store.protein.loc[cells.obs_names].equals(
        cells.obsm["protein"].rename_axis("cell").astype(np.int64)
    )
    assert (store.obs.index.tolist() == cells.obs_names.tolist()) == (shuffle is None)


def test_a_shuffle_depends_on_cells_and_seed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = make_cells(n=120)
    orders = {}
    for name, seed, size, bucket, source in (
        ("one", 1, 120, 1000, cells),
        ("two", 1, 13, 9, cells[::-1]),
        ("other", 2, 120, 1000, cells),
    ):
        monkeypatch.setattr(writer, "BUCKET", bucket)
        path = tmp_path / name
        write_blocks(blocks(source, size), GENES, path, shuffle=seed, expected=120)
        orders[name] = Store.open(path).obs.index.tolist()
    assert orders["one"] == orders["two"] != orders["other"]
    for file in ("counts-00000.u8", "indices-00000.u16", "indptr-00000.i64", "key.i64"):
        one, two = ((tmp_path / name / file).read_bytes() for name in ("one", "two"))
        assert one == two


def test_a_shuffle_is_uniform() -> None:
    keys = generator("keys").integers(0, 2**63, size=100)
    ranks = np.array([np.argsort(np.argsort(writer.hashes(keys, seed))) for seed in range(2000)])
    # each cell's place: mean 49.5, standard error 0.65; neighbours' places are unrelated
    assert np.abs(ranks.mean(axis=0) - 49.5).max() < 4 * 0.65
    assert np.abs(np.corrcoef(ranks[:, :20].T)[np.triu_indices(20, 1)]).max() < 0.1


def test_writing_needs_memory_for_a_block_and_a_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BUCKET", 500)
    peaks = {}
    for n in (2000, 8000):
        part = make_cells(n=500)

        def stream(n: int = n, part: anndata.AnnData = part) -> Iterator[anndata.AnnData]:
            for start in range(0, n, 500):
                part.obs_names = [f"c{start + i}" for i in range(500)]
                yield part.copy()

        tracemalloc.start()
        write_blocks(stream(), GENES, tmp_path / str(n), shuffle=0, expected=n)
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    whole = 8000 * 40 * 3
    assert peaks[8000] < peaks[2000] + 0.3 * whole


def test_a_backed_file_is_streamed(tmp_path: Path) -> None:
    cells = make_cells(n=120)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    write_store(backed, GENES, tmp_path / "s", shuffle=0)
    backed.file.close()
    assert same_cells(Store.open(tmp_path / "s"), cells)


def test_a_backed_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cells.h5ad"
    cells = make_cells(n=3000)
    cells.write_h5ad(file, compression="gzip")
    content = bytearray(file.read_bytes())
    with h5py.File(file) as opened:
        chunk = opened["X/data"].id.get_chunk_info(0)
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    file.write_bytes(content)
    backed = anndata.read_h5ad(file, backed="r")
    with pytest.raises(StoreError, match="cells.h5ad is damaged"):
        write_store(backed, GENES, tmp_path / "s")
    backed.file.close()
    assert [each.name for each in tmp_path.iterdir()] == ["cells.h5ad"]


@pytest.mark.parametrize("kind", ["dense", "csc", "int64", "repeated", "unsorted"])
def test_counts_may_come_in_any_form(tmp_path: Path, kind: str) -> None:
    cells = make_cells(n=20)
    expected = make_cells(n=20)
    x = cells.X
    if kind == "repeated":
        data, indptr = np.repeat(x.data / 2, 2), x.indptr * 2
        x = sparse.csr_matrix((data, np.repeat(x.indices, 2), indptr), shape=x.shape)
        expected.obs["total_counts"] *= 2
        cells.obs["total_counts"] *= 2
        expected.X.data = data.reshape(-1, 2).sum(axis=1)
    elif kind == "unsorted":
        ends = zip(x.indptr[:-1], x.indptr[1:], strict=True)
        order = np.concatenate([np.arange(a, b)[::-1] for a, b in ends])
        x = sparse.csr_matrix((x.data[order], x.indices[order], x.indptr), shape=x.shape)
    else:
        x = {"dense": x.toarray, "csc": x.tocsc, "int64": lambda: x.astype(np.int64)}[kind]()
    cells.X = x
    write_store(cells, GENES, tmp_path / "s")
    assert same_cells(Store.open(tmp_path / "s"), expected)


def test_no_cells_and_repeated_cells_are_refused(tmp_path: Path) -> None:
    cells = make_cells(n=20)
    for shuffle in (None, 0):
        with pytest.raises(DataError, match="no cells to store"):
            write_store(cells[:0], GENES, tmp_path / "s", shuffle=shuffle)
        twice = [cells, cells[:1]]
        with pytest.raises(DataError, match="a cell id stands twice"):
            write_blocks(twice, GENES, tmp_path / "s", shuffle=shuffle, expected=21)
    assert not list(tmp_path.iterdir())


def test_blocks_of_unlike_genes_are_refused(tmp_path: Path) -> None:
    parts = [make_cells("a", 20), make_cells("b", 20, genes=range(39))]
    with pytest.raises(DataError, match="cell b:cell0 .* other genes"):
        write_blocks(parts, GENES, tmp_path / "s")
    assert not list(tmp_path.iterdir())


def test_cells_without_counts_among_the_vocabulary_are_kept_and_empty_ones_refused(
    tmp_path: Path,
) -> None:
    cells = make_cells(n=20)
    cells.X = sparse.csr_matrix(cells.X.toarray() * (np.arange(20) != 3)[:, None])
    write_store(cells, GENES, tmp_path / "s", shuffle=1)
    store = Store.open(tmp_path / "s")
    row = store.obs.index.get_loc("a:cell3")
    assert store.rows(np.array([row])).nnz == 0
    cells.obs.loc["a:cell3", "total_counts"] = 0
    with pytest.raises(DataError, match="a:cell3 has total_counts 0 and 0 counts"):
        write_store(cells, GENES, tmp_path / "s")
    assert same_cells(Store.open(tmp_path / "s"), store.to_anndata())


def test_a_second_writer_is_told_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with exclusive(path) as folder:
        (folder / "mine").touch()
        with pytest.raises(StoreError, match="another process is writing"):
            write_store(make_cells(), GENES, path)
        assert (folder / "mine").exists()
    assert [file.name for file in path.iterdir()] == ["mine"]
    write_store(make_cells(), GENES, path)
    assert Store.open(path).n_cells == 120


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("selfcell.data.claim.fcntl.flock", refuse)
    write_store(make_cells(), GENES, tmp_path / "s")
    assert "no locks here (No locks available)" in caplog.text
    assert Store.open(tmp_path / "s").n_cells == 120


KILLED = """
import os, signal
from pathlib import Path
from selfcell.data.writer import write_blocks
from tests.data.factory import make_cells, vocabulary

def stream():
    yield make_cells(n=60)
    os.kill(os.getpid(), signal.SIGKILL)

write_blocks(stream(), vocabulary(range(40)), Path({path!r}), shuffle=0, expected=120)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{REPO / 'src'}:{REPO}"}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_what_a_killed_writer_left_is_never_read_and_then_discarded(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert run(KILLED.format(path=str(path))).returncode == -9
    assert [file.name for file in tmp_path.iterdir()] == [".s.unfinished"]
    for there in (path, tmp_path / ".s.unfinished" / "s"):
        with pytest.raises(StoreError, match="no finished cell store"):
            Store.open(there)
    write_store(make_cells(), GENES, path)
    assert Store.open(path).n_cells == 120
    assert [file.name for file in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("shuffle", [None, 0])
def test_a_disk_that_is_full_leaves_what_stood_there(tmp_path: Path, shuffle: int | None) -> None:
    path = tmp_path / "s"
    write_store(make_cells(n=20), GENES, path)
    before = Store.open(path).manifest
    cells = make_cells("b", n=2000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_store(cells, GENES, path, shuffle=shuffle)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert Store.open(path).manifest == before
    assert [file.name for file in tmp_path.iterdir()] == ["s"]


def test_a_place_that_may_not_be_written_is_the_systems_error() -> None:
    with pytest.raises(OSError, match="/sys/"):  # read-only for everyone, root too
        write_store(make_cells(), GENES, Path("/sys/selfcell/store"))


def test_read_ahead_asks_for_pages_of_the_map(tmp_path: Path) -> None:
    write_store(make_cells(n=2000), GENES, tmp_path / "s")
    shard = Store.open(tmp_path / "s").shards[0]
    assert isinstance(shard.counts.base.obj, mmap.mmap)
    shard.want(0, 0)
    shard.want(100, 2000)


def test_genes_are_matched_by_id() -> None:
    columns = Columns.of(pd.Index(["c", "x", "a"]), np.array(["a", "b", "c"]))
    assert columns.place.tolist() == [2, -1, 0]
    assert columns.measured_G.tolist() == [True, False, True]
