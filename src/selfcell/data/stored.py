"""An h5ad opened without reading its matrices: they are read by slices of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from selfcell.data import hdf5
from selfcell.data.readers import CONVERTED
from selfcell.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData


DAMAGE = (LookupError, OSError, ValueError, TypeError, AttributeError, RuntimeError)
"""What h5py and anndata raise on a damaged file."""


@contextmanager
def on_disk(path: Path) -> Iterator[AnnData]:
    """An h5ad whose matrices stay on disk. Raises DataError as `hdf5.require_whole`, and what h5py
    and anndata raise."""
    # the chunk in which one block ends and the next begins is unpacked once
    with hdf5.opened(path, rdcc_nbytes=8 << 20) as file:
        yield _lazy(file)


def _lazy(file: Any) -> AnnData:
    import anndata

    read_elem = anndata.io.read_elem
    fields: dict[str, Any] = {key: read_elem(file[key]) for key in ("obs", "var")}
    fields["layers"] = {key: _on_disk(node) for key, node in file.get("layers", {}).items()}
    if "protein" in file.get("obsm", {}):
        fields["obsm"] = {"protein": read_elem(file["obsm/protein"])}
    if CONVERTED in file.get("uns", {}):
        fields["uns"] = {CONVERTED: True}
    if (raw := hdf5.held(file, "raw")) is not None:
        fields["raw"] = {"X": _on_disk(raw["X"]), "var": read_elem(raw["var"])}
    x = hdf5.held(file, "X")
    return anndata.AnnData(None if x is None else _on_disk(x), **fields)


def _on_disk(node: Any) -> Any:
    import anndata
    import h5py

    return node if isinstance(node, h5py.Dataset) else anndata.io.sparse_dataset(node)


class StoredRows:
    """Slices of rows of a matrix that lies as compressed rows in an HDF5 file."""

    def __init__(self, group: Any, shape: tuple[int, int]) -> None:
        self._data, self._indices = group["data"], group["indices"]
        self._indptr, self.shape = group["indptr"][:].astype(np.int64), shape

    def __getitem__(self, rows: slice) -> sparse.csr_matrix:
        indptr = self._indptr[rows.start : rows.stop + 1]
        part = slice(int(indptr[0]), int(indptr[-1]))
        parts = self._data[part], self._indices[part], indptr - indptr[0]
        block = sparse.csr_matrix(parts, shape=(len(indptr) - 1, self.shape[1]))
        block.check_format()  # SciPy writes outside of its arrays where a damaged file says so
        return block


def rows_of(values: Any) -> Any:
    """The same matrix; what AnnData opened on disk without its cost for each slice."""
    import h5py

    group = getattr(values, "group", None)
    stored = isinstance(group, h5py.Group) and values.format == "csr"
    return StoredRows(group, values.shape) if stored else values


def in_memory(values: Any, name: str) -> Any:
    """A sparse matrix on disk, read whole. Raises DataError where it is damaged."""
    try:
        matrix = values.to_memory()
        matrix.check_format()
    except DAMAGE as error:
        raise unreadable(f"data set {name!r}", error) from error
    return matrix


def unreadable(what: str, error: Exception) -> DataError:
    """What is wrong with a file that does not read as h5ad."""
    return DataError(
        f"{what} cannot be read as h5ad ({type(error).__name__}: {error})",
        "an intact h5ad file",
        "copy it anew, or read it and write it again with a current anndata",
    )
