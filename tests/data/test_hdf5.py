"""HDF5 files that refer to other files are refused before anything of those is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import numpy as np
import pytest
from scipy import sparse

from selfcell.data import hdf5, own
from selfcell.data.readers import read, read_h5ad
from selfcell.errors import DataError
from tests.cells import user_cells

SECRET = b"passwd:x:0\n" * 8


def link(file: h5py.File, other: Path) -> str:
    """The cells' table lies in the other file."""
    del file["obs"]
    file["obs"] = h5py.ExternalLink(str(other), "/obs")
    return "external link"


def soft(file: h5py.File, other: Path) -> str:
    """As `link`, by a detour."""
    file["away"] = h5py.ExternalLink(str(other), "/")
    del file["obs"]
    file["obs"] = h5py.SoftLink("/away/obs")
    return "external link"


def storage(file: h5py.File, other: Path) -> str:
    """The names of the genes are the bytes of the other file."""
    names = file["var"].attrs["_index"]
    del file["var"][names]
    node = file["var"].create_dataset(names, (8,), "S11", external=[(str(other), 0, 88)])
    node.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
    return "external storage"


def virtual(file: h5py.File, other: Path) -> str:
    """Counts of the other file."""
    layout = h5py.VirtualLayout((12, 8), "f4")
    layout[:] = h5py.VirtualSource(str(other), "X", (12, 8))
    file["layers"].create_virtual_dataset("counts", layout)
    return "virtual data set"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small intact file, and two others."""
    cells = user_cells(12)[:, :8].copy()
    cells.write_h5ad(tmp_path / "cells.h5ad")
    cells.write_h5ad(tmp_path / "other.h5ad")
    (tmp_path / "secret").write_bytes(SECRET)
    return tmp_path / "cells.h5ad"


@pytest.mark.parametrize("refer", [link, soft, storage, virtual])
def test_a_file_that_refers_to_another_is_refused(
    path: Path, refer: Callable[[h5py.File, Path], str]
) -> None:
    with h5py.File(path, "r+") as file:
        what = refer(file, path.with_name("secret" if refer is storage else "other.h5ad"))
    with pytest.raises(DataError, match=f"{what}.*remedy.*write_h5ad") as said, own.opened(path):
        pass
    assert "passwd" not in str(said.value)
    with pytest.raises(DataError, match=what):
        read_h5ad(path, own.spec_of("cells"))


def test_a_10x_file_that_refers_to_another_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["matrix"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/matrix")
    with pytest.raises(DataError, match="does not hold 'matrix' itself"):
        read(tmp_path / "x.h5", own.spec_of("cells"))


def test_links_within_a_file_are_followed(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["layers/counts"] = file["X"]
        file["layers/same"] = h5py.SoftLink("/X")
    with own.opened(path) as cells:
        assert own.layers_of(cells) == ["counts", "same"]


def test_what_is_stored_as_none_is_not_there(path: Path) -> None:
    with h5py.File(path, "w") as file:
        anndata.io.write_elem(file, "/", user_cells(12))
        assert "raw" in file and hdf5.held(file, "raw") is None
    with own.opened(path) as cells:
        assert cells.raw is None and own.layers_of(cells) == []
    assert read_h5ad(path, own.spec_of("cells")).uns["layers"] == []


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize(("part", "at"), [("indptr", 3), ("indices", 0)])
def test_numbers_that_point_outside_of_a_matrix_are_damage(
    path: Path, kind: type, part: str, at: int
) -> None:
    cells = user_cells(12)
    cells.X = kind(cells.X)
    cells.write_h5ad(path)
    with h5py.File(path, "r+") as file:
        file["X"][part][at] = 65110
    with pytest.raises(DataError, match="cannot be read as h5ad"), own.opened(path) as made:
        list(own.Matrix.of(made, None, own.spec_of("cells")).blocks())


HUGE = 2**44
LONG = 1000


def long_group(file: h5py.File) -> None:
    """Values without end in place of a group."""
    del file["obsm"]
    file.create_dataset("obsm", (LONG,), "f8", chunks=True)


def long_column(file: h5py.File) -> None:
    """A column that says it is longer than the others."""
    file["obs"].create_dataset("long", (LONG,), "i1", chunks=True)
    file["obs"].attrs["column-order"] = ["long"]


def long_categories(file: h5py.File) -> None:
    """As many names of categories."""
    old = file["obs/cell_type/categories"]
    kept = dict(old.attrs)
    del file["obs/cell_type/categories"]
    made = file.create_dataset("obs/cell_type/categories", (HUGE,), "i8", chunks=True)
    made.attrs.update({**kept, "encoding-type": "array"})


def long_pointers(file: h5py.File) -> None:
    """Where rows begin, for more rows than there are."""
    del file["X/indptr"]
    file.create_dataset("X/indptr", (LONG,), "i8", chunks=True)


def long_values(file: h5py.File) -> None:
    """Values without end, all of the first row."""
    for name, kind in (("data", "f4"), ("indices", "i4")):
        del file["X"][name]
        file["X"].create_dataset(name, (HUGE,), kind, chunks=True)
    del file["X/indptr"]
    file["X/indptr"] = [0, *[HUGE] * 12]


def odd_categories(file: h5py.File) -> None:
    """An encoding that nobody knows."""
    file["obs/cell_type/codes"].attrs["encoding-type"] = "strange"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (long_group, "obsm is no group"),
        (long_column, r"obs/long is of shape \(1000,\), not \(12,\)"),
        (long_categories, r"said to be \d+ bytes, of which 0 lie in the file"),
        (long_pointers, r"\(1000,\) row pointers for 12 rows"),
        (long_values, r"said to be \d+ bytes, of which 0 lie in the file"),
        (odd_categories, "cannot be read as h5ad .IORegistryError"),
    ],
)
def test_damage_that_asks_for_everything_is_said_at_once(
    path: Path, damage: Callable[[h5py.File], None], said: str
) -> None:
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(DataError, match=said), own.opened(path) as cells:
        next(own.Matrix.of(cells, None, own.spec_of("cells")).blocks())


def test_a_file_that_stores_fewer_chunks_than_it_declares_is_whole(path: Path) -> None:
    """What was never written reads as the fill value, which is 0 for counts."""
    with h5py.File(path, "r+") as file:
        del file["X"]
        made = file.create_dataset("X", (12, 8), "f4", chunks=(4, 8))
        made[:4] = 1
        made.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        column = file["obs"].create_dataset("zero", (12,), "i4", chunks=(2,))
        column.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        file["obs"].attrs["column-order"] = ["zero"]
    with own.opened(path) as cells:
        (_, block), *_ = own.Matrix.of(cells, None, own.spec_of("cells")).blocks()
        assert block.nnz == 32 and list(cells.obs["zero"]) == [0] * 12


def test_more_values_than_lie_in_the_file_are_refused_before_they_are_made(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        names = file["obs"].attrs["_index"]
        kept = dict(file["obs"][names].attrs)
        del file["obs"][names]
        long = file["obs"].create_dataset(names, (2**26,), h5py.string_dtype(), chunks=True)
        long.attrs.update(kept)
    with pytest.raises(
        DataError, match=r"said to be 536870912 bytes, of which \d+ lie in the file"
    ):
        own.opened(path).__enter__()


def test_more_values_in_rows_than_there_are_genes_are_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for name, kind in (("data", "f4"), ("indices", "i4")):
            del file["X"][name]
            file["X"][name] = np.zeros(1000, kind)
        file["X/indptr"][:] = [0, *[1000] * 12]
    with (
        pytest.raises(DataError, match="1000 values in 12 rows of 8 columns"),
        own.opened(path) as cells,
    ):
        next(own.Matrix.of(cells, None, own.spec_of("cells")).blocks())


def test_zeros_that_pack_well_are_read(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["layers"].create_dataset(
            "zeros", data=np.zeros((12, 10**6), np.float32), compression="gzip", chunks=True
        )
    with hdf5.opened(path) as file:
        assert "zeros" in file["layers"]
