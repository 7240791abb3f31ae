"""From a data set as it came to its canonical cells: counts of protein-coding genes, plain columns.

Cells are dropped for one stated reason each; genes are never dropped for being rare, since the
vocabulary decides which genes the study uses, but the rare ones are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from selfcell.data import contract, genes
from selfcell.data.genes import GeneTable
from selfcell.data.registry import DatasetSpec, Frozen
from selfcell.errors import DataError
from selfcell.keys import derive

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

REASONS = ("unlabelled", "empty", "few_genes", "high_mito", "doublet", "not_drawn")
# A file of fewer genes holds a selection, in which the mitochondrial share has no meaning.
WHOLE_GENOME = 10_000
DOUBLET_SCORE = 0.25
ROLES = ("label", "donor", "batch", "condition")


class Limits(Frozen):
    """What a cell must pass.

    Attributes:
        min_genes: genes seen in a cell, at least (a data set's own floor goes before it).
        min_cells: genes seen in fewer cells are counted as rare; none is dropped.
        max_mito: mitochondrial share of a cell's counts (0-1), at most. Cells whose share is not
            measured pass.
        doublets: score doublets with Scrublet and drop those above 0.25.
    """

    min_genes: int = Field(default=200, ge=0)
    min_cells: int = Field(default=3, ge=0)
    max_mito: float = Field(default=0.2, ge=0.0, le=1.0)
    doublets: bool = False


@dataclass(frozen=True)
class Result:
    """What quality control makes of a data set.

    Attributes:
        cells: kept cells in input order; X counts as float32 CSR over protein-coding genes.
        table: one row a cell of the input, kept or not.
        summary: numbers for `qc.json`.
    """

    cells: AnnData
    table: pd.DataFrame
    summary: dict[str, Any]


def qc(
    raw: AnnData,
    spec: DatasetSpec,
    table: GeneTable,
    limits: Limits,
    ontology: Mapping[str, Mapping[str, str]],
) -> Result:
    """Check, map, measure and filter one data set.

    Args:
        raw: as `readers.read` gave it.
        spec: what its columns mean.
        table: the gene annotation.
        limits: what a cell must pass.
        ontology: for each key a mapping of labels to Cell Ontology ids.

    Raises:
        DataError: the contract is broken, the genes are not human, or no cell is left.
    """
    contract.check(raw, spec)
    names, ids = contract.gene_names(raw, spec)
    mapping = genes.resolve(names, ids, table)
    X = _counts(raw, spec)
    report = genes.report(mapping, np.asarray(X.sum(axis=0, dtype=np.float64)).ravel())
    genes.require_human(mapping, report, spec.name)

    mito_G = _is_mito(mapping)
    frame = _measure(raw, spec, X, mito_G, ontology)
    frame["reason"] = _reasons(frame, spec, limits)
    if limits.doublets:
        _drop_doublets(frame, X)
    _draw(frame, spec.max_cells)
    frame["kept"] = frame["reason"] == ""
    if not frame["kept"].any():
        raise DataError(
            f"no cell of data set {spec.name!r} passes ({_tally(frame)})",
            "at least one cell",
            "loosen the limits of `quality:`, or check that the file holds raw counts of all genes",
        )
    cells = _canonical(raw, spec, X, mapping, frame)
    summary = _summarise(frame, cells, report, spec, limits)
    summary["mito_genes"] = int(mito_G.sum())
    return Result(cells, frame.drop(columns="barcode"), summary)


def _counts(raw: AnnData, spec: DatasetSpec) -> Any:
    from scipy import sparse

    chosen = raw.layers.get(spec.layer, raw.X)
    X = sparse.csr_matrix(chosen, dtype=np.float32)
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def _is_mito(mapping: pd.DataFrame) -> Any:
    """(G,) whether a gene is on the mitochondrial genome, by its current or its own name."""
    own = mapping["name"].str.upper().str.startswith("MT-")
    return (own | mapping["symbol"].str.startswith("MT-")).to_numpy()


def _measure(
    raw: AnnData,
    spec: DatasetSpec,
    X: Any,
    mito_G: Any,
    ontology: Mapping[str, Mapping[str, str]],
) -> pd.DataFrame:
    """One row a cell: its names, its columns, and its numbers over all genes of the file."""
    import pandas as pd

    barcodes = [str(name) for name in raw.obs_names]
    frame = pd.DataFrame({"cell": [f"{spec.name}:{name}" for name in barcodes]})
    frame["barcode"] = barcodes
    for role in ROLES:
        column = getattr(spec, role)
        constant = spec.name if role == "donor" and spec.one_donor else ""
        values = contract.labels(raw, column) if column else np.full(raw.n_obs, constant, object)
        frame[role] = np.where(values == "", "unknown", values).astype(str)
    known = ontology.get(spec.ontology, {}) if spec.ontology else {}
    frame["ontology"] = [known.get(label, "") for label in frame["label"]]
    total = np.asarray(X.sum(axis=1, dtype=np.float64)).ravel()
    frame["total_counts"] = total.astype(np.int64)
    frame["n_genes"] = np.diff(X.indptr).astype(np.int64)
    # no mitochondrial gene: the share is not measured, which is not the same as 0
    share = np.full(raw.n_obs, np.nan)
    if mito_G.any() and len(mito_G) >= WHOLE_GENOME:
        mito = np.asarray(X[:, mito_G].sum(axis=1, dtype=np.float64)).ravel()
        np.divide(100.0 * mito, total, out=share, where=total > 0)
    frame["pct_mito"] = share
    return frame


def _reasons(frame: pd.DataFrame, spec: DatasetSpec, limits: Limits) -> Any:
    """(B,) the first reason, in the order of `REASONS`, to drop each cell; "" for none."""
    floor = limits.min_genes if spec.min_genes is None else spec.min_genes
    tests = {
        "unlabelled": (frame["label"] == "unknown") & bool(spec.label),
        "empty": frame["total_counts"] == 0,
        "few_genes": frame["n_genes"] < floor,
        "high_mito": frame["pct_mito"] > 100.0 * limits.max_mito,
    }
    return np.select(list(tests.values()), list(tests), default="")


def _drop_doublets(frame: pd.DataFrame, X: Any) -> None:
    """Scrublet's score of the cells that passed so far, each batch apart, with a fixed seed."""
    import anndata
    import scanpy as sc

    frame["doublet_score"] = np.nan
    for _, rows in frame[frame["reason"] == ""].groupby("batch", sort=True):
        part = anndata.AnnData(X=X[rows.index.to_numpy()])
        sc.pp.scrublet(part, threshold=DOUBLET_SCORE, random_state=0, verbose=False)
        frame.loc[rows.index, "doublet_score"] = part.obs["doublet_score"].to_numpy()
    frame.loc[frame["doublet_score"] > DOUBLET_SCORE, "reason"] = "doublet"


def _draw(frame: pd.DataFrame, n: int) -> None:
    """Of the cells that passed keep the n of lowest hash (0: all), whatever order they stand in;
    a larger n keeps the same ones and more."""
    passed = frame.index[frame["reason"] == ""]
    if not n or len(passed) <= n:
        return
    ranks = [derive("max_cells", cell) for cell in frame.loc[passed, "cell"]]
    frame.loc[passed[np.argsort(ranks)[n:]], "reason"] = "not_drawn"


def _canonical(
    raw: AnnData, spec: DatasetSpec, X: Any, mapping: pd.DataFrame, frame: pd.DataFrame
) -> AnnData:
    """The kept cells over the kept genes, both in input order."""
    import anndata
    import pandas as pd

    rows, columns = frame["kept"].to_numpy(), mapping["kept"].to_numpy()
    wanted = [*ROLES, "ontology", "total_counts", "n_genes", "pct_mito"]
    wanted += [name for name in ("doublet_score",) if name in frame]
    obs = frame.loc[rows, wanted].set_index(pd.Index(frame.loc[rows, "cell"].to_numpy()))
    var = mapping.loc[columns, ["ensembl", "symbol"]].set_index("ensembl")
    var.index.name = None
    kept = X[rows][:, columns].tocsr()
    kept.sort_indices()
    cells = anndata.AnnData(X=kept, obs=obs, var=var)
    if "protein" in raw.obsm:
        protein = pd.DataFrame(raw.obsm["protein"]).loc[rows]
        cells.obsm["protein"] = protein.set_index(cells.obs_names)
    return cells


def _summarise(
    frame: pd.DataFrame, cells: AnnData, report: dict[str, Any], spec: DatasetSpec, limits: Limits
) -> dict[str, Any]:
    per_gene = np.bincount(cells.X.indices, minlength=cells.n_vars)
    kept = frame[frame["kept"]]
    measured = kept["pct_mito"].dropna()
    unmapped = kept.loc[(kept["ontology"] == "") & (kept["label"] != "unknown"), "label"]
    summary = {
        "dataset": spec.name,
        "cells_in": len(frame),
        "cells_kept": len(kept),
        "cells_dropped": {reason: int((frame["reason"] == reason).sum()) for reason in REASONS},
        "min_genes": limits.min_genes if spec.min_genes is None else spec.min_genes,
        "genes": report,
        "genes_rare": int((per_gene < limits.min_cells).sum()),
        "median_counts": float(kept["total_counts"].median()),
        "median_genes": float(kept["n_genes"].median()),
        "median_pct_mito": round(float(measured.median()), 4) if len(measured) else "not measured",
        "labels": {str(k): int(v) for k, v in kept["label"].value_counts().items()},
        "labels_without_ontology": sorted(set(unmapped)) if spec.ontology else [],
    }
    for role, key in (("donor", "donors"), ("batch", "batches"), ("condition", "conditions")):
        summary[key] = {str(k): int(v) for k, v in kept[role].value_counts().items()}
    if "protein" in cells.obsm:
        summary["proteins"] = int(cells.obsm["protein"].shape[1])
    return summary


def _tally(frame: pd.DataFrame) -> str:
    counts = frame["reason"].value_counts()
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())
