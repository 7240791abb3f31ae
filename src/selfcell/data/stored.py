"""An h5ad opened without reading its matrices: they are read by slices of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from selfcell.data.readers import CONVERTED
from selfcell.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData


@contextmanager
def on_disk(path: Path) -> Iterator[AnnData]:
    """An h5ad whose matrices stay on disk. Raises what h5py and anndata raise."""
    import h5py

    # the chunk in which one block ends and the next begins is unpacked once
    with h5py.File(path, "r", rdcc_nbytes=8 << 20) as file:
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
    if "raw" in file:
        fields["raw"] = {"X": _on_disk(file["raw/X"]), "var": read_elem(file["raw/var"])}
    return anndata.AnnData(_on_disk(file["X"]) if "X" in file else None, **fields)


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
        return sparse.csr_matrix(parts, shape=(len(indptr) - 1, self.shape[1]))


def rows_of(values: Any) -> Any:
    """The same matrix; what AnnData opened on disk without its cost for each slice."""
    import h5py

    group = getattr(values, "group", None)
    stored = isinstance(group, h5py.Group) and values.format == "csr"
    return StoredRows(group, values.shape) if stored else values


def unreadable(what: str, error: Exception) -> DataError:
    """What is wrong with a file that does not read as h5ad."""
    return DataError(
        f"{what} cannot be read as h5ad ({type(error).__name__}: {error})",
        "an intact h5ad file",
        "copy it anew, or read it and write it again with a current anndata",
    )
