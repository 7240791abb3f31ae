"""A user's AnnData: one matrix of it, read by blocks of rows, and its genes in a model's order.

The matrix may be dense or sparse, in memory or on disk; no more than a block is ever copied.
Shape suffixes: N cells, G genes of the model, F genes of the file.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from tqdm import tqdm

from selfcell.data import contract, genes, tally, zarrs
from selfcell.data.ahead import one_ahead
from selfcell.data.parse import nearest
from selfcell.data.readers import CONVERTED, format_of, read, whole_chunks
from selfcell.data.registry import Artefact, DatasetSpec, Source
from selfcell.data.specs import MIN_FOUND
from selfcell.data.stored import in_memory, on_disk, rows_of
from selfcell.errors import ConfigError, DataError, readable

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("selfcell")

BLOCK = 1024
MIN_GENES = 200
"""Genes that a cell must show, in a file of all genes."""
SYMBOLS = ("symbol", "gene_symbol", "gene_symbols", "feature_name", "gene_name", "gene_names")
"""Var columns in which files whose var names are Ensembl ids keep the symbols."""


def spec_of(name: str, gene_ids: str = "", label: str = "") -> DatasetSpec:
    """What the contract must know of a file; `name` stands in its messages."""
    source = Source(artefact=Artefact(name=name, kind="local", path=name))
    return DatasetSpec(name=name, source=source, gene_ids=gene_ids, label=label)


def require_anndata(cells: object, name: str) -> None:
    """Raise DataError for cells of another kind, such as the path of a file."""
    import anndata

    if not isinstance(cells, anndata.AnnData):
        kind = type(cells).__name__
        raise DataError(f"{name!r} is of type {kind}", "AnnData", "anndata.read_h5ad(FILE)")


@dataclass(frozen=True)
class Matrix:
    """One matrix of a file.

    Attributes:
        values: (N, F), anything that is sliced by rows: array, sparse matrix, either on disk or
            put off by Dask.
        names: AnnData without values: names of cells and genes, and in `uns["layers"]` of layers.
        spec: where Ensembl ids and labels are.
    """

    values: Any
    names: AnnData
    spec: DatasetSpec

    @classmethod
    def of(cls, adata: AnnData, layer: str | None, spec: DatasetSpec) -> Matrix:
        """X, the layer of that name, or `raw`.

        Raises DataError: no AnnData, no such layer in it, no cell or no gene.
        """
        import anndata

        require_anndata(adata, spec.name)
        layers = layers_of(adata)
        if layer and layer not in layers:
            raise DataError(
                f"data set {spec.name!r} has no layer {layer!r}", nearest(layer, layers)
            )
        raw = layer == "raw" and "raw" not in adata.layers
        values = adata.raw.X if raw else adata.layers[layer] if layer else adata.X
        if values is None or 0 in values.shape:
            what = "matrix in X" if values is None else "genes" if values.shape[0] else "cells"
            got = f"data set {spec.name!r} has no {what}"
            raise DataError(got, "cells x genes", f"name a layer; {nearest('counts', layers)}")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(Obs|Var).* names are not unique")  # checked later
            names = anndata.AnnData(obs=adata.obs, var=adata.raw.var if raw else adata.var)
        if "protein" in adata.obsm:
            names.obsm["protein"] = adata.obsm["protein"]
        names.uns["layers"] = [name for name in layers if name != layer]
        if getattr(values, "format", "") == "csc":
            # columns do not come by rows: one conversion instead of one a block
            values = values.tocsr() if sparse.issparse(values) else in_memory(values, spec.name)
        return cls(values, names, spec)

    def blocks(self, rows: int = 0) -> Iterator[tuple[int, sparse.csr_matrix]]:
        """First row and values of each block of rows (about `BLOCK`), as CSR without explicit
        zeros."""
        yield from one_ahead(self._read(rows))

    def _read(self, rows: int) -> Iterator[tuple[int, sparse.csr_matrix]]:
        what = f"data set {self.spec.name!r}"
        with readable(what, "h5ad"):
            values = rows_of(self.values)
            step = whole_chunks(values, rows or BLOCK)
        for start in range(0, self.values.shape[0], step):
            with readable(what, "h5ad"):
                part = values[start : start + step]
                block = sparse.csr_matrix(part.compute() if hasattr(part, "compute") else part)
            tally.tidy(block)
            yield start, block

    def counts(self, rows: int = 0) -> Iterator[tuple[int, sparse.csr_matrix]]:
        """`blocks`, checked. Raises DataError at the first value that is no count."""
        for start, block in self.blocks(rows):
            contract.require_counts(self.names, self.spec, block, start)
            yield start, block.astype(np.float32, copy=False)

    def counted(self, title: str) -> Iterator[tuple[int, sparse.csr_matrix]]:
        """`counts` under a bar of that title, which goes on as each block is done with."""
        n = len(self.names)
        with tqdm(total=n, desc=title, unit="cell", mininterval=1, leave=False, delay=2) as bar:
            for start, block in self.counts():
                yield start, block
                bar.update(block.shape[0])

    def gene_names(self, checked: bool = True) -> tuple[list[str], list[str] | None]:
        """Names, symbols where the file has them, and Ensembl ids where it has those.

        Raises DataError if `checked`: a gene stands twice, or a column that the spec names is not
        there.
        """
        if checked:
            contract.check_names(self.names, self.spec)
        names, ids = contract.gene_names(self.names, self.spec)
        if ids is None and sum(map(is_ensembl, names)) * 2 > len(names):
            for column in SYMBOLS:
                if column in self.names.var:
                    return [str(name) for name in self.names.var[column]], names
        return names, ids


def fewest_genes(n_genes: int) -> int:
    """Genes that a cell must show to be trained on: `MIN_GENES`, or a tenth of the file's where
    that is less, since such a file holds a selection."""
    return min(MIN_GENES, n_genes // 10)


def is_ensembl(name: str) -> bool:
    """Whether a name is an Ensembl gene id, of any species and version."""
    return contract.ENSEMBL.match(name) is not None


def layers_of(adata: AnnData) -> list[str]:
    """Names that `layer` may take: the layers and, where there is one, `raw`."""
    return [*map(str, adata.layers), *(["raw"] if adata.raw is not None else [])]


@dataclass(frozen=True)
class Alignment:
    """The genes of a file in the order of a model.

    Attributes:
        there_F: column of the model that each gene of the file goes to, -1 for none.
        n_genes: genes of the model.
        missing: symbols of the model's genes that the file lacks; they read as 0.
    """

    there_F: np.ndarray
    n_genes: int
    missing: Sequence[str]

    @property
    def share(self) -> float:
        """Share of the model's genes that were found, in [0, 1]."""
        return 1.0 - len(self.missing) / self.n_genes

    def report(self) -> dict[str, Any]:
        """genes, found, share, and the first ten missing."""
        found = self.n_genes - len(self.missing)
        shown = list(self.missing[:10])
        share = round(self.share, 4)
        return {"genes": self.n_genes, "found": found, "share": share, "missing": shown}

    def require(self, matrix: Matrix, least: float = MIN_FOUND) -> None:
        """Raise DataError where under this share of the genes was found, or none; ConfigError
        for what is no share."""
        if not 0.0 <= least <= 1.0:
            raise ConfigError(f"min_found {least}", "a share in [0, 1]")
        found = self.n_genes - len(self.missing)
        said = f"{found} of the model's {self.n_genes} genes ({self.share:.0%}) found"
        if self.share < least or not found:
            mine = ", ".join(map(str, matrix.names.var_names[:3]))
            raise DataError(
                f"data set {matrix.spec.name!r}: {said} (its genes: {mine}; missing: "
                f"{', '.join(self.missing[:3])})",
                f"at least {least:.0%}",
                "check the species, and name the var column of the gene ids (`gene_ids`); or "
                "pre-train a model on these cells; or lower `min_found` (--min-found), at the "
                "price of an input unlike any the model saw",
            )
        if self.share <= 0.9:
            log.warning("%s: %s", matrix.spec.name, said)

    def apply(self, block: sparse.csr_matrix) -> sparse.csr_matrix:
        """(N, F) counts to (N, G), genes that the file lacks empty."""
        own = np.flatnonzero(self.there_F >= 0)
        shape = (block.shape[1], self.n_genes)
        move = sparse.csr_matrix(
            (np.ones(len(own), np.float32), (own, self.there_F[own])), shape=shape
        )
        return block @ move


def align(matrix: Matrix, gene_ids: Sequence[str], symbols: Sequence[str]) -> Alignment:
    """Find a model's genes in a file, by the rules of `data.genes` over the model's own genes."""
    names, ids = matrix.gene_names()
    found = genes.resolve(names, ids, table_of(gene_ids, symbols))
    column = {gene: i for i, gene in enumerate(gene_ids)}
    kept = found["kept"].to_numpy()
    there_F = np.full(len(found), -1, dtype=np.int64)
    there_F[kept] = [column[gene] for gene in found.loc[kept, "ensembl"]]
    lacks = np.ones(len(gene_ids), dtype=bool)
    lacks[there_F[kept]] = False
    return Alignment(there_F, len(gene_ids), [symbols[i] for i in np.flatnonzero(lacks).tolist()])


def table_of(gene_ids: Sequence[str], symbols: Sequence[str]) -> genes.GeneTable:
    """A gene table of these genes alone; each counts as coding for a protein, since nothing says
    otherwise."""
    import pandas as pd

    frame = pd.DataFrame({"ensembl": gene_ids, "symbol": symbols})
    frame = frame.drop_duplicates("ensembl").assign(biotype="protein_coding", earlier="")
    return genes.GeneTable.from_frame(frame)


def own_table(matrix: Matrix) -> genes.GeneTable:
    """The file's genes as a table: Ensembl ids (without version) where it has them, else names."""
    names, ids = matrix.gene_names()
    found = [contract.ENSEMBL.match(text) for text in ids or names]
    pairs = zip(found, names, strict=True)
    return table_of([match.group(1) if match else name for match, name in pairs], names)


@contextmanager
def opened(path: Path) -> Iterator[AnnData]:
    """A file as AnnData; of an h5ad, X, `raw` and the layers stay on disk.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", "a file of cells", "correct the path")
    spec = spec_of("file")
    if (kind := format_of(path, spec)) != "h5ad":
        with readable(str(path), kind):
            adata = zarrs.whole(path) if kind == "zarr" else read(path, spec)
        yield adata
        return
    with ExitStack() as stack:
        with readable(str(path), "h5ad"):
            adata = stack.enter_context(on_disk(path))
        yield adata


@contextmanager
def raw_counts(path: Path, spec: DatasetSpec) -> Iterator[Matrix]:
    """The counts of a data set as rule `download` left it, on disk.

    Raises DataError: it cannot be read, or the layer is not there.
    """
    with opened(path) as adata:
        # what was converted has its counts in X, whichever layer they came from
        yield Matrix.of(adata, None if CONVERTED in adata.uns else spec.layer, spec)
