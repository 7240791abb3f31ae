"""HDF5 files that refer to other files are refused before anything of those is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
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
