"""A reader's file of cells: is a study to be made of it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell.data import contract, own
from selfcell.data.parse import nearest
from selfcell.data.specs import LabelSpec, SplitSpec
from selfcell.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData


@dataclass(frozen=True)
class Cells:
    """A file that a study can be made of.

    Attributes:
        path: of the file, absolute. sha256: of its bytes; "" for a folder.
        labels, batch: obs columns of cell types and of donors or batches ("": cells are divided
            at random).
        layer, gene_ids: as in `selfcell.api.Model.embed`; "" for X and for none.
        n_cells, n_genes: of the file.
        types: that have enough cells on both sides. left_out: the others, with the reason.
    """

    path: Path
    sha256: str
    labels: str
    batch: str
    layer: str
    gene_ids: str
    n_cells: int
    n_genes: int
    types: tuple[str, ...]
    left_out: Mapping[str, str]

    @property
    def min_genes(self) -> int:
        """Genes that a cell must show: 200, or a tenth of a file that holds a selection."""
        return own.fewest_genes(self.n_genes)


def look(
    path: Path,
    study: str,
    labels: str,
    batch: str = "",
    layer: str = "",
    gene_ids: str = "",
    min_test: int = 15,
) -> Cells:
    """Read what a study needs to know of a file, and refuse it here rather than minutes later.

    Args:
        study: its name, from which the donors to test on are drawn.
        min_test: cells of a type that must be tested on, or it is left out.

    Raises:
        DataError: unreadable, no counts, no such column, genes of a mouse, or fewer than two types
            with enough cells on both sides.
        ConfigError: `min_test` is under 1.
    """
    from selfcell.provenance import sha256_file

    if min_test < 1:
        raise ConfigError(f"--min-test {min_test}", "cells to test on, at least 1")
    path = path.expanduser().absolute()
    with own.opened(path) as adata:
        for option, column in (("--labels", labels), ("--batch", batch)):
            _require_column(adata, option, column)
        spec = own.spec_of(study, gene_ids)
        contract.check_cell_names(adata, spec)
        matrix = own.Matrix.of(adata, layer or None, spec)
        next(matrix.counts())
        _require_human(matrix, path)
        sides = _sides(adata, study, labels, batch, min_test)
        return Cells(
            path=path,
            sha256="" if path.is_dir() else sha256_file(path),
            labels=labels,
            batch=batch,
            layer=layer,
            gene_ids=gene_ids,
            n_cells=int(matrix.values.shape[0]),
            n_genes=int(matrix.values.shape[1]),
            types=tuple(sides["classes"]),
            left_out={row["label"]: row["reason"] for row in sides["left_out"]},
        )


def told(cells: Cells) -> dict[str, Any]:
    """What was found, for JSON."""
    return {
        "file": str(cells.path),
        "cells": cells.n_cells,
        "genes": cells.n_genes,
        "labels": cells.labels,
        "batch": cells.batch,
        "types": list(cells.types),
        "left_out": dict(cells.left_out),
    }


def look_at_corpora(corpora: Iterable[str], layer: str, cells: Cells) -> None:
    """Refuse files to pre-train on that a study could not read, as `look` does.

    Args:
        corpora: files; what is no file is left to `configuration`. layer: of their counts.

    Raises:
        ConfigError: one is the file itself. DataError: unreadable, no counts, genes of a mouse.
    """
    for path in (Path(each).expanduser() for each in corpora):
        if path.exists():
            _look_at_corpus(path, layer, cells)


def _look_at_corpus(path: Path, layer: str, cells: Cells) -> None:
    if path.resolve() == cells.path.resolve():
        raise ConfigError(
            f"--corpus {path} is the file itself",
            "other cells: its own training cells are pre-trained on anyway",
            "leave --corpus out",
        )
    with own.opened(path) as adata:
        spec = own.spec_of(path.name)
        contract.check_cell_names(adata, spec)
        matrix = own.Matrix.of(adata, layer or None, spec)
        next(matrix.counts())
        _require_human(matrix, path)


def _require_column(adata: AnnData, option: str, column: str) -> None:
    columns = [str(name) for name in adata.obs]
    if column not in columns and (column or option == "--labels"):
        raise DataError(
            f"the file has no obs column {column!r}", nearest(column, columns), f"{option} COLUMN"
        )
    if option == "--labels" and not any(contract.labels(adata, column)):
        raise DataError(
            f"{column!r} is empty for every cell", "a label for some", f"{option} COLUMN"
        )
    if option == "--labels":
        _require_types(contract.labels(adata, column), column)
    if option == "--batch" and column:
        known = set(contract.labels(adata, column)) - {"", "unknown"}
        if len(known) < 2:
            raise DataError(
                f"{column!r} holds {len(known)} donors or batches",
                "at least 2, to learn from some and test on the others",
                "name another column, or none: cells are then divided at random",
            )


def _require_types(label_N: np.ndarray, column: str) -> None:
    labelled_N = label_N[label_N != ""]
    types = len(set(labelled_N))
    if 2 * types > len(labelled_N):
        raise DataError(
            f"{column!r} holds {types} values in {len(labelled_N)} cells",
            "cell types of several cells each",
            "name the column of cell types: --labels COLUMN",
        )


def _require_human(matrix: own.Matrix, path: Path) -> None:
    from selfcell.doctor import species

    names, ids = matrix.gene_names()
    shown = ids or names
    if (found := species(shown)) == "mouse":
        raise DataError(
            f"the genes of {path.name} look like {found} (first: {', '.join(shown[:3])})",
            "human symbols or Ensembl ids, which the gene table knows",
            "map them to their human orthologues first",
        )


def _sides(adata: AnnData, study: str, labels: str, batch: str, min_test: int) -> dict[str, Any]:
    """The split as it will be, but for the cells that quality control takes out."""
    import pandas as pd

    from selfcell.data.splits import make_split

    label_N = contract.labels(adata, labels)
    donor_N = contract.labels(adata, batch) if batch else ""
    obs = pd.DataFrame({"label": label_N, "donor": donor_N, "batch": "", "condition": ""})
    obs = obs[obs.label != ""].astype(str)
    obs.index = obs.index.astype(str)
    spec = SplitSpec.model_validate({"target": study, "dataset": study, **split(batch)})
    return make_split(obs, spec, LabelSpec(regimes=(1,), draws=1, min_test=min_test))


def split(batch: str) -> dict[str, Any]:
    """How the cells are divided: half of the donors, or without a column of them half of the
    cells of each type."""
    return {"kind": "fraction", "by": "donor" if batch else "cell", "test_fraction": 0.5}
