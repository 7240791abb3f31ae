"""From a data set as it came to its canonical cells: counts of protein-coding genes, plain columns.

Cells are dropped for one stated reason each; genes are never dropped for being rare, since the
vocabulary decides which genes the study uses, but the rare ones are counted.

One pass over the counts, by blocks of rows, checks, measures, filters and writes; where cells are
drawn or doublets dropped, a pass before it measures. What is kept of a cell is its row of the
table, about a kilobyte with the copies that writing makes (docs/scale.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field
from scipy import sparse
from tqdm import tqdm

from selfcell.data import contract, genes, tally
from selfcell.data.genes import GeneTable
from selfcell.data.h5ad import Sink
from selfcell.data.moments import Moments
from selfcell.data.own import Matrix
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
    """What quality control says of a data set.

    Attributes:
        table: one row a cell of the input, kept or not.
        summary: numbers for `qc.json`.
    """

    table: pd.DataFrame
    summary: dict[str, Any]


def qc(
    matrix: Matrix,
    table: GeneTable,
    limits: Limits,
    ontology: Mapping[str, Mapping[str, str]],
    sink: Callable[[int], Sink],
) -> Result:
    """Check, map, measure and filter one data set.

    Args:
        matrix: its counts, in memory or on disk, and what its columns mean.
        table: the gene annotation.
        limits: what a cell must pass.
        ontology: for each key a mapping of labels to Cell Ontology ids.
        sink: given the number of kept genes, where kept cells go, in input order: X counts as
            float32 CSR over protein-coding genes.

    Raises:
        DataError: the contract is broken, the genes are not human, or no cell is left.
    """
    raw, spec = matrix.names, matrix.spec
    contract.check_all_but_counts(raw, spec)
    names, ids = contract.gene_names(raw, spec)
    mapping = genes.resolve(names, ids, table)
    mito_F, kept_F = _is_mito(mapping), mapping["kept"].to_numpy()
    frame = columns(raw, spec, ontology)
    if limits.doublets or spec.max_cells:
        sweep(matrix, frame, mito_F, limits)
        if limits.doublets:
            _drop_doublets(frame, matrix)
        _draw(frame, spec.max_cells)
    where = sink(int(kept_F.sum()))
    moments, counts_F = sweep(matrix, frame, mito_F, limits, lambda X: where.append(X[:, kept_F]))
    report = genes.report(mapping, counts_F)
    contract.require_some(bool(counts_F.any()), raw, spec)
    genes.require_human(mapping, report, spec.name)
    frame["kept"] = frame["reason"] == ""
    if not frame["kept"].any():
        raise DataError(
            f"no cell of data set {spec.name!r} passes ({_tally(frame)})",
            "at least one cell",
            "loosen the limits of `quality:`, or check that the file holds raw counts of all genes",
        )
    obs, obsm = _obs(raw, frame)
    where.finish(obs, _var(mapping, moments), obsm)
    summary = _summarise(frame, report, spec, limits)
    summary["genes_rare"] = int((moments.cells_F[kept_F] < limits.min_cells).sum())
    summary["mito_genes"] = int(mito_F.sum())
    if obsm:
        summary["proteins"] = int(obsm["protein"].shape[1])
    return Result(frame.drop(columns="barcode"), summary)


def sweep(
    matrix: Matrix,
    frame: pd.DataFrame,
    mito_F: np.ndarray,
    limits: Limits,
    take: Callable[[sparse.csr_matrix], None] | None = None,
) -> tuple[Moments, np.ndarray]:
    """One pass: fill the table's numbers, and its reasons where they are not known yet; give each
    block's kept cells to `take`. Returns the moments of kept cells, and the counts of all, by
    gene."""
    n_cells, n_genes = matrix.values.shape
    is_known = "reason" in frame
    share_known = mito_F.any() and n_genes >= WHOLE_GENOME
    measured: dict[str, list[np.ndarray]] = {"total_counts": [], "n_genes": [], "pct_mito": []}
    reasons, moments, counts_F = [], Moments(n_genes), np.zeros(n_genes)
    with tqdm(total=n_cells, desc=matrix.spec.name, mininterval=1, leave=False, delay=2) as bar:
        for start, block in matrix.blocks():
            (total, mito, seen), wrong = tally.measure(block, mito_F)
            if wrong >= 0:
                contract.require_counts(matrix.names, matrix.spec, block, start)
            # no mitochondrial gene: the share is not measured, which is not the same as 0
            share = np.full(len(total), np.nan)
            np.divide(100.0 * mito, total, out=share, where=(total > 0) & share_known)
            rows = slice(start, start + len(total))
            part = frame.iloc[rows].assign(total_counts=total.astype(np.int64), pct_mito=share)
            part["n_genes"] = seen.astype(np.int64)
            reason = part["reason"].to_numpy() if is_known else _reasons(part, matrix.spec, limits)
            reasons.append(reason)
            for name, values in measured.items():
                values.append(part[name].to_numpy())
            keep = reason == ""
            moments.add(block, total, keep)
            if not keep.all():
                counts_F += np.asarray(block[~keep].sum(axis=0, dtype=np.float64)).ravel()
            if take:
                take(block if keep.all() else block[keep])
            bar.update(len(total))
    for name, values in {**measured, "reason": reasons}.items():
        frame[name] = np.concatenate(values)
    return moments, counts_F + moments.counts_F


def _is_mito(mapping: pd.DataFrame) -> Any:
    """(G,) whether a gene is on the mitochondrial genome, by its current or its own name."""
    own = mapping["name"].str.upper().str.startswith("MT-")
    return (own | mapping["symbol"].str.startswith("MT-")).to_numpy()


def columns(
    raw: AnnData, spec: DatasetSpec, ontology: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """One row a cell: its names and its columns. Equal text is one object, whatever the number of
    cells that it stands in."""
    import pandas as pd

    barcodes = [str(name) for name in raw.obs_names]
    frame = pd.DataFrame({"cell": [f"{spec.name}:{name}" for name in barcodes]})
    frame["barcode"] = barcodes
    for role in ROLES:
        column = getattr(spec, role)
        constant = spec.name if role == "donor" and spec.one_donor else ""
        values = contract.labels(raw, column) if column else np.full(raw.n_obs, constant, object)
        frame[role] = np.where(values == "", "unknown", values)
    known = ontology.get(spec.ontology, {}) if spec.ontology else {}
    frame["ontology"] = [known.get(label, "") for label in frame["label"]]
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
    # objects: a fixed width would cut off what is put in later
    return np.select(list(tests.values()), list(tests), default="").astype(object)


def _drop_doublets(frame: pd.DataFrame, matrix: Matrix) -> None:
    """Scrublet's score of the cells that passed so far, each batch apart, with a fixed seed. A
    batch is held in memory."""
    import anndata
    import scanpy as sc

    frame["doublet_score"] = np.nan
    for _, rows in frame[frame["reason"] == ""].groupby("batch", sort=True):
        part = anndata.AnnData(X=_rows(matrix, rows.index.to_numpy()))
        sc.pp.scrublet(part, threshold=DOUBLET_SCORE, random_state=0, verbose=False)
        frame.loc[rows.index, "doublet_score"] = part.obs["doublet_score"].to_numpy()
    frame.loc[frame["doublet_score"] > DOUBLET_SCORE, "reason"] = "doublet"


def _rows(matrix: Matrix, rows: np.ndarray) -> sparse.csr_matrix:
    """(len(rows), F) counts of rows in ascending order."""
    parts = []
    for start, block in matrix.counts():
        own = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + block.shape[0])]
        parts.append(block[own - start])
    return sparse.vstack(parts, format="csr")


def _draw(frame: pd.DataFrame, n: int) -> None:
    """Of the cells that passed keep the n of lowest hash (0: all), whatever order they stand in;
    a larger n keeps the same ones and more."""
    passed = frame.index[frame["reason"] == ""]
    if not n or len(passed) <= n:
        return
    ranks = [derive("max_cells", cell) for cell in frame.loc[passed, "cell"]]
    frame.loc[passed[np.argsort(ranks)[n:]], "reason"] = "not_drawn"


def _obs(raw: AnnData, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Columns of the kept cells, and their proteins if there are any."""
    import pandas as pd

    rows = frame["kept"].to_numpy()
    wanted = [*ROLES, "ontology", "total_counts", "n_genes", "pct_mito"]
    wanted += [name for name in ("doublet_score",) if name in frame]
    obs = frame.loc[rows, wanted].set_index(pd.Index(frame.loc[rows, "cell"].to_numpy()))
    if "protein" not in raw.obsm:
        return obs, {}
    protein = pd.DataFrame(raw.obsm["protein"]).loc[rows]
    return obs, {"protein": protein.set_index(obs.index)}


def _var(mapping: pd.DataFrame, moments: Moments) -> pd.DataFrame:
    """The kept genes: symbol; over the kept cells, those it is seen in, its counts, and mean and
    variance of its counts scaled to 10,000 a cell."""
    kept = mapping["kept"].to_numpy()
    numbers = {
        "n_cells": moments.cells_F, "counts": moments.counts_F,
        "mean": moments.mean_F(), "variance": moments.variance_F(),
    }  # fmt: skip
    var = mapping.loc[kept, ["ensembl", "symbol"]].set_index("ensembl").rename_axis(None)
    return var.assign(**{name: values[kept] for name, values in numbers.items()})


def _summarise(
    frame: pd.DataFrame, report: dict[str, Any], spec: DatasetSpec, limits: Limits
) -> dict[str, Any]:
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
        "median_counts": float(kept["total_counts"].median()),
        "median_genes": float(kept["n_genes"].median()),
        "median_pct_mito": round(float(measured.median()), 4) if len(measured) else "not measured",
        "labels": {str(k): int(v) for k, v in kept["label"].value_counts().items()},
        "labels_without_ontology": sorted(set(unmapped)) if spec.ontology else [],
    }
    for role, key in (("donor", "donors"), ("batch", "batches"), ("condition", "conditions")):
        summary[key] = {str(k): int(v) for k, v in kept[role].value_counts().items()}
    return summary


def _tally(frame: pd.DataFrame) -> str:
    counts = frame["reason"].value_counts()
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())
