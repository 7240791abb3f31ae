"""Where cells go block by block: to an h5ad, of whose matrix no more than a block is ever held, or
to memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# gzip, since the bytes LZF writes differ from run to run; shuffled bytes pack faster and smaller
PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
_CHUNK = 1 << 16


class Sink(Protocol):
    """What takes cells by blocks of rows."""

    def append(self, block: sparse.csr_matrix) -> None:
        """Add (B, G) counts, after those added before."""

    def finish(self, obs: pd.DataFrame, var: pd.DataFrame, obsm: Mapping[str, Any]) -> None:
        """Add all but the counts."""


class InMemory:
    """Holds the cells: they are in `cells` when all is done."""

    cells: AnnData

    def __init__(self) -> None:
        self._blocks: list[sparse.csr_matrix] = []

    def append(self, block: sparse.csr_matrix) -> None:
        """Add counts of cells."""
        self._blocks.append(block)

    def finish(self, obs: pd.DataFrame, var: pd.DataFrame, obsm: Mapping[str, Any]) -> None:
        """Make the AnnData."""
        from anndata import AnnData

        X = sparse.vstack(self._blocks, format="csr")
        self.cells = AnnData(X=X, obs=obs, var=var, obsm=dict(obsm))


class H5adWriter:
    """An h5ad whose X grows by blocks of rows; AnnData reads what `finish` completed.

    The same blocks, however they are cut, give the same bytes.

    Args:
        path: file to make.
        n_genes: columns of X.
    """

    def __init__(self, path: Path, n_genes: int) -> None:
        import h5py

        self._file = h5py.File(path, "w")
        self._n_genes, self._ends = n_genes, [np.zeros(1, dtype=np.int64)]
        self._data = self._column("X/data", np.float32)
        self._indices = self._column("X/indices", np.int32)
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self.n_cells = self._n_values = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _column(self, name: str, dtype: type) -> Any:
        return self._file.create_dataset(
            name, (0,), dtype, maxshape=(None,), chunks=(_CHUNK,), **PACKED
        )

    def append(self, block: sparse.csr_matrix) -> None:
        """Add rows: (N, n_genes) counts."""
        block.sort_indices()
        self._ends.append(self._ends[-1][-1] + block.indptr[1:].astype(np.int64))
        self._waiting.append((block.data.astype(np.float32), block.indices.astype(np.int32)))
        self.n_cells += block.shape[0]
        if sum(len(data) for data, _ in self._waiting) >= _CHUNK:
            self._write(whole=False)

    def _write(self, whole: bool) -> None:
        """Write what waits: all of it, or as much as fills whole chunks, each packed once."""
        if not self._waiting:
            return
        data, indices = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        n = len(data) if whole else len(data) // _CHUNK * _CHUNK
        for column, values in ((self._data, data), (self._indices, indices)):
            column.resize((self._n_values + n,))
            column[self._n_values :] = values[:n]
        self._n_values += n
        self._waiting = [(data[n:], indices[n:])] if n < len(data) else []

    def finish(
        self,
        obs: pd.DataFrame,
        var: pd.DataFrame,
        obsm: Mapping[str, Any] | None = None,
        uns: Mapping[str, Any] | None = None,
    ) -> None:
        """Write all but X. `obs` has a row for each row that was appended."""
        import anndata

        self._write(whole=True)
        ends = np.concatenate(self._ends)
        # scipy wants one type for both kinds of indices; what is larger is read by blocks alone
        ends = ends.astype(np.int32) if ends[-1] < 2**31 else ends
        self._file.create_dataset("X/indptr", data=ends, **PACKED)
        marks = {"encoding-type": "csr_matrix", "encoding-version": "0.1.0"}
        self._file["X"].attrs.update(marks, shape=(self.n_cells, self._n_genes))
        self._file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        empty = ("layers", "varm", "obsp", "varp")
        parts = {"obs": obs, "var": var, "obsm": dict(obsm or {}), "uns": dict(uns or {})}
        for name, part in (parts | {name: {} for name in empty}).items():
            anndata.io.write_elem(
                self._file, name, part, dataset_kwargs={k: PACKED[k] for k in list(PACKED)[:2]}
            )
