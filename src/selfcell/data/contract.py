"""What a data set must hold before anything is made of it.

Raw counts (whole, in [0, 2**24), not all zero), at least one cell and one gene, unique
cell names, unique genes, and the columns its spec names. Policy on genes: an Ensembl id or a
symbol that occurs twice is an error, since nothing says which row is right; symbols made unique by
a suffix (`-1`, `.1`) are taken as such, the first of them kept and the others counted
(`data.genes`).
Policy on labels: cells without one are dropped and counted (`data.qc`), unless all are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from selfcell.data.parse import nearest
from selfcell.data.registry import DatasetSpec
from selfcell.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

ENSEMBL = re.compile(r"^(ENS[A-Z]*G\d{11})(?:\.\d+)?$")
UNLABELLED = frozenset({"", "nan", "none", "na", "n/a", "<na>", "null"})
LARGEST = 2**24  # float32, in which counts are read, holds every whole number below
_BLOCK = 1 << 22


def check_all_but_counts(adata: AnnData, spec: DatasetSpec) -> None:
    """Check what needs no matrix; counts are checked as they are read (`require_counts`).

    Args:
        adata: names, columns and proteins of the cells.
        spec: what its columns mean.

    Raises:
        DataError: the first thing that is wrong, its place, and the remedy.
    """
    check_names(adata, spec)
    check_cell_names(adata, spec)
    if "protein" in adata.obsm:
        _check_protein(adata, spec)


def check_names(adata: AnnData, spec: DatasetSpec) -> None:
    """What of `check` needs neither counts nor cell names: the columns are there, genes unique."""
    _check_columns(adata, spec)
    _check_genes(adata, spec)


def check_cell_names(adata: AnnData, spec: DatasetSpec) -> None:
    """Raises DataError where two cells have one name."""
    _check_unique(adata.obs_names, "cell names", spec, "call obs_names_make_unique() on it")


def first_wrong(matrix: Any) -> int | None:
    """Where in `matrix.data` the first value stands that is no count; None: all are counts."""
    for start in range(0, matrix.nnz, _BLOCK):
        values = matrix.data[start : start + _BLOCK]
        wrong = ~((values >= 0) & (values < LARGEST) & (values == np.floor(values)))
        if wrong.any():
            return start + int(np.argmax(wrong))
    return None


def require_counts(adata: AnnData, spec: DatasetSpec, matrix: Any, first: int = 0) -> None:
    """Refuse a matrix of other values than counts.

    Args:
        adata: names the cells, the genes and the layers.
        matrix: CSR, rows of `adata` from row `first` on.

    Raises:
        DataError: names the first bad value, its place, and where counts may be.
    """
    at = first_wrong(matrix)
    if at is None:
        return
    value = float(matrix.data[at])
    row = first + int(np.searchsorted(matrix.indptr, at, side="right")) - 1
    place = f"cell {adata.obs_names[row]} (row {row}), gene {adata.var_names[matrix.indices[at]]}"
    raise DataError(
        f"the matrix of data set {spec.name!r} holds {kind(value)} (first: {value:.6g} at {place})",
        "counts",
        _where_counts_may_be(adata, spec),
    )


def labels(adata: AnnData, column: str) -> np.ndarray[Any, np.dtype[np.object_]]:
    """(B,) strings of an obs column; "" where the value is empty or missing."""
    import pandas as pd

    # each value is looked at once, not once a cell
    codes, values = pd.factorize(adata.obs[column].astype(object), use_na_sentinel=False)
    text = [_plain(value) for value in values]
    plain = ["" if value.lower() in UNLABELLED else value for value in text]
    return np.array([*plain, ""], dtype=object)[codes]


def _plain(value: object) -> str:
    """Codes that passed through a float column read as whole numbers again (`3.0` is `3`)."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def gene_names(adata: AnnData, spec: DatasetSpec) -> tuple[list[str], list[str] | None]:
    """Var names, and Ensembl ids: of the column the spec names, else as in 10x files."""
    names = [str(name) for name in adata.var_names]
    column = spec.gene_ids
    if not column and "gene_ids" in adata.var and ENSEMBL.match(str(adata.var["gene_ids"].iloc[0])):
        column = "gene_ids"
    return names, [str(name) for name in adata.var[column]] if column else None


def _check_columns(adata: AnnData, spec: DatasetSpec) -> None:
    for role in ("label", "donor", "batch", "condition"):
        column = getattr(spec, role)
        if column and column not in adata.obs:
            raise DataError(
                f"data set {spec.name!r} has no obs column {column!r} (its {role})",
                f"one of {sorted(map(str, adata.obs.columns))}",
                f"set `{role}:`; {nearest(column, map(str, adata.obs.columns))}",
            )
    if spec.gene_ids and spec.gene_ids not in adata.var:
        raise DataError(
            f"data set {spec.name!r} has no var column {spec.gene_ids!r} (its Ensembl ids)",
            f"one of {sorted(map(str, adata.var.columns))}",
            "set `gene_ids:`, or leave it empty to go by the var names",
        )
    if spec.label and not any(labels(adata, spec.label)):
        raise DataError(
            f"label column {spec.label!r} of data set {spec.name!r} is empty for every cell",
            "a label for at least some cells",
            "set `label:` to another column, or leave it empty for a data set without labels",
        )


def _check_unique(names: Any, what: str, spec: DatasetSpec, remedy: str) -> None:
    import pandas as pd

    index = pd.Index(names)
    twice = index[index.duplicated()].unique()
    if len(twice):
        shown = ", ".join(map(str, twice[:3]))
        raise DataError(
            f"data set {spec.name!r} has {len(twice)} duplicated {what} ({shown})",
            f"unique {what}",
            remedy,
        )


def _check_genes(adata: AnnData, spec: DatasetSpec) -> None:
    names, ids = gene_names(adata, spec)
    found = [match.group(1) for name in ids or names if (match := ENSEMBL.match(name))]
    _check_unique(found, "Ensembl ids", spec, "sum or remove the rows of one gene")
    if ids is None:
        _check_unique(names, "gene names", spec, "set `gene_ids:`, or call var_names_make_unique()")


def _check_protein(adata: AnnData, spec: DatasetSpec) -> None:
    """Proteins are named once and hold whole counts, as genes do; none may be missing."""
    import pandas as pd

    table = pd.DataFrame(adata.obsm["protein"])
    _check_unique(table.columns.map(str), "proteins", spec, "give each antibody one name")
    values = table.to_numpy(dtype=np.float64)
    wrong = ~(np.isfinite(values) & (values >= 0) & (values == np.floor(values)))
    if wrong.any():
        row, column = (int(place[0]) for place in np.nonzero(wrong))
        raise DataError(
            f"protein {table.columns[column]} of data set {spec.name!r} holds {values[row, column]}"
            f" at cell {adata.obs_names[row]}",
            "raw counts of every protein in every cell",
            "give the counts of the antibodies, not normalised values",
        )


def require_some(some: bool, adata: AnnData, spec: DatasetSpec) -> None:
    """Refuse a matrix without a single count. Raises DataError."""
    if not some:
        raise DataError(
            f"the matrix of data set {spec.name!r} holds nothing but zeros",
            "counts",
            _where_counts_may_be(adata, spec),
        )


def _where_counts_may_be(adata: AnnData, spec: DatasetSpec) -> str:
    layers = sorted({*map(str, adata.layers), *map(str, adata.uns.get("layers", []))})
    others = [name for name in layers if name != spec.layer]
    if not others:
        return "give the raw counts"
    best = "counts" if "counts" in others else others[0]
    return f"set `layer: {best}` (there are: {', '.join(others)}), or give the raw counts"


def kind(value: float) -> str:
    """What is wrong with a value that is no count."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "infinite values"
    if value >= LARGEST:
        return f"values of {LARGEST:,} or more"
    return "negative values" if value < 0 else "non-integers"
