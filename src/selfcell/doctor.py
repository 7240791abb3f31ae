"""What is wrong with a user's cells, and how to mend it: said before a method refuses them.

Every matrix is tried for counts on its first block; the one that holds them is then read whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from selfcell.data import contract, own
from selfcell.data.genes import looks_mouse
from selfcell.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

    from selfcell.api import Model

LABELS = re.compile(r"cell_?(sub)?(type|class)|label|annot|ontology|cluster|leiden|louvain", re.I)
BATCHES = re.compile(
    r"batch|donor|sample|patient|individual|library|lane|channel|orig\.?ident|dataset|study", re.I
)
HUMAN = re.compile(r"^[A-Z0-9][A-Z0-9.\-_]*(orf\d+)?$")
MIB = 2.0**20
LIBRARIES = 500  # MiB of torch, scanpy and the others
PER_VALUE = 100  # bytes of each non-zero value in all copies that pre-training makes, measured


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Attributes:
        level: "mend" where a method would refuse the file or mislead, else "note".
        what: what was found.
        remedy: what to do about it; "" for nothing.
    """

    level: str
    what: str
    remedy: str = ""


def examine(
    adata: AnnData, layer: str | None = None, gene_ids: str = "", model: Model | None = None
) -> tuple[dict[str, Any], list[Finding]]:
    """Examine cells; nothing is changed.

    Args:
        layer: the matrix that is meant; None: X, or where that holds no counts, another.
        gene_ids: var column of Ensembl ids.
        model: to which the genes are held.

    Returns:
        Facts: cells, genes, matrices (each "counts" or what it holds), the layer that holds
        counts, and, where one does, non-zero values, median counts and genes of a cell, empty
        cells, MiB in memory; names of genes, species, candidates for columns. And the findings.

    Raises:
        DataError: the layer asked for is not there.
    """
    spec = own.spec_of("cells", gene_ids)
    findings: list[Finding] = []
    facts: dict[str, Any] = {"cells": adata.n_obs, "genes": adata.n_vars}
    if not adata.n_obs or (not adata.n_vars and adata.raw is None):
        what = f"the file holds no {'genes' if adata.n_obs else 'cells'}"
        return facts, [Finding("mend", what, "check how it was filtered, and write it again")]
    names: list[str | None] = [layer] if layer else [None, *own.layers_of(adata)]
    facts["matrices"] = {name or "X": _holds(adata, name, spec) for name in names}
    good = [name for name in names if facts["matrices"][name or "X"] == "counts"]
    findings += _where(facts["matrices"], layer, good)
    if good:
        matrix = own.Matrix.of(adata, good[0], spec)
        facts["counts_in"] = good[0] or "X"
        try:
            facts |= _scan(matrix)
        except DataError as error:
            findings.append(Finding("mend", error.got, error.remedy))
        findings += _of_cells(facts)
    elif all(adata.shape) and adata.X is not None:
        matrix = own.Matrix.of(adata, layer, spec)
    else:
        return facts, findings
    findings += _genes(matrix, model, facts)
    findings += _columns(adata, facts)
    return facts, findings


def _holds(adata: AnnData, layer: str | None, spec: Any) -> str:
    """What the first block of a matrix holds: "counts", or what else."""
    try:
        _, block = next(own.Matrix.of(adata, layer, spec).blocks())
    except DataError as error:
        if layer not in (None, *own.layers_of(adata)):
            raise
        return error.got
    at = contract.first_wrong(block)
    if at is not None:
        value = float(block.data[at])
        return f"{contract.kind(value)} (first: {value:.6g})"
    return "counts" if block.nnz else "nothing but zeros in its first cells"


def _where(
    matrices: dict[str, str], layer: str | None, good: Sequence[str | None]
) -> Iterator[Finding]:
    asked = layer or "X"
    if matrices[asked] == "counts":
        return
    if good:
        remedy = f"say --layer {good[0]} (layer={good[0]!r} in Python): it holds counts"
    else:
        remedy = (
            "no matrix of the file holds counts: add the raw counts as a layer; normalised or "
            "scaled values cannot be turned back"
        )
    yield Finding("mend", f"{asked} holds no counts but {matrices[asked]}", remedy)


def _scan(matrix: own.Matrix) -> dict[str, Any]:
    """Numbers over all cells. Raises DataError at a value that is no count."""
    totals, seen = [], []
    for _, block in matrix.counted("read"):
        totals.append(np.asarray(block.sum(axis=1, dtype=np.float64)).ravel())
        seen.append(np.diff(block.indptr))
    total_N, seen_N = np.concatenate(totals), np.concatenate(seen)
    fewest = own.fewest_genes(len(matrix.names.var_names))
    values = int(seen_N.sum())
    return {
        "non_zero_values": values,
        "median_counts": float(np.median(total_N)),
        "median_genes": float(np.median(seen_N)),
        "empty_cells": int((total_N == 0).sum()),
        "fewest_genes": fewest,
        "cells_under_fewest_genes": int((seen_N < fewest).sum()),
        # a block as it is read, its copy, and what the model sees of it
        "mib_to_embed": LIBRARIES + round(3 * 4 * own.BLOCK * len(matrix.names.var_names) / MIB),
        "mib_to_pretrain": LIBRARIES + round(PER_VALUE * values / MIB),
    }


def _of_cells(facts: dict[str, Any]) -> Iterator[Finding]:
    if facts.get("empty_cells"):
        yield Finding(
            "mend",
            f"{facts['empty_cells']} cells hold no counts; embed and annotate refuse them",
            "scanpy.pp.filter_cells(adata, min_counts=1)",
        )
    few = facts.get("cells_under_fewest_genes", 0)
    if few:
        yield Finding(
            "note",
            f"{few} cells show under {facts['fewest_genes']} genes; pretrain leaves them out",
            "lower --min-genes to keep them",
        )


def _genes(matrix: own.Matrix, model: Model | None, facts: dict[str, Any]) -> Iterator[Finding]:
    try:
        names, ids = matrix.gene_names()
    except DataError as error:
        yield Finding("mend", error.got, error.remedy)
        return
    shown = ids or names
    share = sum(map(own.is_ensembl, shown)) / len(shown)
    facts["gene_names"] = f"{share:.0%} Ensembl ids, such as {', '.join(shown[:3])}"
    facts["species"] = species(shown)
    if sum(name.isdigit() for name in names) * 2 > len(names):
        yield Finding("mend", "the names of the genes are numbers", "set adata.var_names")
    elif facts["species"] != "human":
        yield Finding(
            "note",
            f"the genes look like {facts['species']}: the study's models and gene sets are human",
            "map them to human orthologues, or pretrain a model on these cells",
        )
    if model is not None:
        trained = model.trained
        found = own.align(matrix, trained.gene_ids, trained.symbols)
        facts["genes_of_the_model"] = found.report()
        if found.share < own.MIN_FOUND:
            yield Finding(
                "mend",
                f"{found.share:.0%} of the model's {found.n_genes} genes are in the file; "
                f"{own.MIN_FOUND:.0%} are needed",
                "check the species, and name the var column of Ensembl ids with --gene-ids",
            )
    if not matrix.names.obs_names.is_unique:
        yield Finding("mend", "names of cells stand twice", "adata.obs_names_make_unique()")


def species(names: Sequence[str]) -> str:
    """By how most genes are written: human, mouse, or "of another or no known species"."""
    ensembl = [name for name in names if own.is_ensembl(name)]
    if 2 * len(ensembl) > len(names):
        human = sum(name.startswith("ENSG") for name in ensembl)
        mouse = sum(name.startswith("ENSMUSG") for name in ensembl)
    else:
        human = sum(HUMAN.match(name) is not None and not name.isdigit() for name in names)
        mouse = sum(map(looks_mouse, names))
    best = max(human, mouse)
    if 2 * best <= len(names):
        return "of another or no known species"
    return "human" if human >= mouse else "mouse"


def _columns(adata: AnnData, facts: dict[str, Any]) -> Iterator[Finding]:
    """Columns that may hold labels and batches, by their names and numbers of values."""
    obs = adata.obs
    groups = {str(name): obs[name].nunique() for name in obs}
    several = [name for name, n in groups.items() if 1 < n <= max(2, len(obs) // 2)]
    several = [name for name in several if not name.startswith("selfcell_")]
    several = [name for name in several if not str(obs[name].dtype).startswith("float")]
    for role, pattern in (("label", LABELS), ("batch", BATCHES)):
        found = [name for name in several if pattern.search(name)]
        facts[f"{role}_columns"] = found
        if not found:
            yield Finding("note", f"no column looks like a {role} (columns: {', '.join(groups)})")
    for name in facts["label_columns"]:
        without = int(sum(text == "" for text in contract.labels(adata, name)))
        if without:
            yield Finding(
                "note",
                f"{without} cells have no label in {name!r}",
                "as a reference such cells are left out",
            )
