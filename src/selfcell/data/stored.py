"""An h5ad opened without reading its matrices: they are read by slices of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from selfcell.data import hdf5, zarrs
from selfcell.data.readers import CONVERTED
from selfcell.errors import readable

if TYPE_CHECKING:
    from anndata import AnnData


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
    node = hdf5.held(file, "X")
    x = None if node is None else _on_disk(node)
    n_obs, n_vars = (None, None) if x is None else x.shape
    fields: dict[str, Any] = {"obs": _table(file["obs"], n_obs), "var": _table(file["var"], n_vars)}
    fields["layers"] = {key: _on_disk(node) for key, node in hdf5.members(file, "layers").items()}
    if "protein" in hdf5.members(file, "obsm"):
        fields["obsm"] = {"protein": read_elem(file["obsm/protein"])}
    if CONVERTED in hdf5.members(file, "uns"):
        fields["uns"] = {CONVERTED: True}
    if (raw := hdf5.held(file, "raw")) is not None:
        counts = _on_disk(raw["X"])
        fields["raw"] = {"X": counts, "var": _table(raw["var"], counts.shape[1])}
    return anndata.AnnData(x, **fields)


def _table(node: Any, rows: int | None) -> Any:
    """A table of so many rows; None: as its index. Its columns are held to that before one is
    read: where damage made one longer, reading it takes memory without end."""
    import anndata
    import h5py

    if isinstance(node, h5py.Group):  # before anndata 0.7 it was a data set
        for name in (node.attrs["_index"], *node.attrs["column-order"]):
            column = node[name]
            is_group = isinstance(column, h5py.Group)  # categories, or values that may be missing
            keys = [key for key in ("codes", "values", "mask") if is_group and key in column]
            for part in [column[key] for key in keys] if is_group else [column]:
                rows = part.shape[0] if rows is None else rows
                if part.shape != (rows,):
                    raise ValueError(f"{part.name} is of shape {part.shape}, not {(rows,)}")
    return anndata.io.read_elem(node)


def _on_disk(node: Any) -> Any:
    import anndata
    import h5py

    return node if isinstance(node, h5py.Dataset) else anndata.io.sparse_dataset(node)


class StoredRows:
    """Slices of rows of a matrix that lies as compressed rows in an HDF5 file."""

    def __init__(self, group: Any, shape: tuple[int, int]) -> None:
        self._data, self._indices, self.shape = group["data"], group["indices"], shape
        if group["indptr"].shape != (shape[0] + 1,):  # before memory is taken for it
            raise ValueError(f"{group['indptr'].shape} row pointers for {shape[0]} rows")
        self._indptr = group["indptr"][:].astype(np.int64)

    def __getitem__(self, rows: slice) -> sparse.csr_matrix:
        indptr = self._indptr[rows.start : rows.stop + 1]
        part = slice(int(indptr[0]), int(indptr[-1]))
        if part.stop - part.start > (len(indptr) - 1) * self.shape[1]:
            got = f"{part.stop - part.start} values in {len(indptr) - 1} rows"
            raise ValueError(f"{got} of {self.shape[1]} columns")
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
    """A sparse matrix on disk, read whole, as CSR. Raises DataError where it is damaged."""
    with readable(f"data set {name!r}", "h5ad"):
        return zarrs.sound(values.to_memory()).tocsr()
