"""Cells through a model: their genes put in its order, their counts scaled, embedded by blocks.

Shape suffixes: N cells, D latent dimensions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse
from tqdm import tqdm

from selfcell.data import own
from selfcell.data.loader import normalise
from selfcell.errors import ConfigError, DataError
from selfcell.tasks.model import Trained, embed

log = logging.getLogger("selfcell")


def embed_cells(
    trained: Trained, matrix: own.Matrix, batch: int, min_found: float
) -> tuple[np.ndarray, dict[str, Any]]:
    """Embed a file's cells and say what became of its genes.

    Args:
        batch: cells read at once, at least 1.
        min_found: share of the model's genes, in [0, 1], below which the cells are refused.

    Returns:
        (N, D) float32, and the report of `Alignment` with `counts_kept`: the share of all counts,
        in [0, 1], that stands in genes of the model; `left_out`: genes of the file that the model
        does not know; `rest`: what was done about both.

    Raises:
        ConfigError: an option out of its range.
        DataError: as `Model.embed`.
    """
    if batch < 1:
        raise ConfigError(f"batch {batch}", "cells to read at once, at least 1")
    found = own.align(matrix, trained.gene_ids, trained.symbols)
    found.require(matrix, min_found)
    parts, kept, total = [], 0.0, 0.0
    n_cells, title = len(matrix.names), f"embed {matrix.spec.name}"
    with tqdm(total=n_cells, desc=title, unit="cell", mininterval=1, delay=2) as bar:
        for start, block, seen in _blocks(matrix, found, batch):
            all_N, seen_N = _sums(block), _sums(seen)
            scaled_by_N = seen_N if trained.scaled_by_own_genes else all_N
            _require_molecules(matrix, start, scaled_by_N)
            kept, total = kept + float(seen_N.sum()), total + float(all_N.sum())
            parts.append(embed(trained.encoder, normalise(seen, scaled_by_N)).numpy())
            bar.update(len(all_N))
    report = _report(trained, found, kept / total)
    log.info(
        "%s: %d of the model's %d genes found, %.0f%% of the counts are in them; %s",
        matrix.spec.name, report["found"], report["genes"], 100 * kept / total, report["rest"],
    )  # fmt: skip
    return np.concatenate(parts), report


def alignment(trained: Trained, matrix: own.Matrix) -> dict[str, Any]:
    """The report of `embed_cells`, without embedding or refusing. Raises DataError: no counts, a
    gene twice."""
    found = own.align(matrix, trained.gene_ids, trained.symbols)
    kept = total = 0.0
    for _, block, seen in _blocks(matrix, found, own.BLOCK):
        kept, total = kept + float(_sums(seen).sum()), total + float(_sums(block).sum())
    return _report(trained, found, kept / total if total else 0.0)


def _blocks(
    matrix: own.Matrix, found: own.Alignment, batch: int
) -> Iterator[tuple[int, sparse.csr_matrix, sparse.csr_matrix]]:
    """First row, counts over the file's genes, counts over the model's."""
    for start, block in matrix.counts(batch):
        yield start, block, found.apply(block)


def _sums(block: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(block.sum(axis=1, dtype=np.float64)).ravel()


def _report(trained: Trained, found: own.Alignment, kept: float) -> dict[str, Any]:
    left_out = int((found.there_F < 0).sum())
    scaling = "are not scaled by" if trained.scaled_by_own_genes else "count in the scaling"
    rest = (
        f"{len(found.missing)} genes that the file lacks read as 0; {left_out} genes that the "
        f"model does not know are left out and {scaling}"
    )
    return {**found.report(), "counts_kept": round(kept, 4), "left_out": left_out, "rest": rest}


def _require_molecules(matrix: own.Matrix, start: int, total_N: np.ndarray) -> None:
    empty = np.flatnonzero(total_N == 0)
    if empty.size:
        raise DataError(
            f"cell {matrix.names.obs_names[start + empty[0]]} (row {start + empty[0]}) of data "
            f"set {matrix.spec.name!r} holds no counts",
            "cells with at least one molecule",
            "drop empty cells: scanpy.pp.filter_cells(adata, min_counts=1)",
        )
