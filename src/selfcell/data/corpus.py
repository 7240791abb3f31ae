"""The unlabelled cells that a network is pre-trained on, across one or more stores.

Labels cannot pass here: cells are chosen by donor, batch, condition or a target's pool, and what
comes out is counts, totals and cell ids.

Shape suffixes: N cells, G genes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from selfcell.data.cells import MemoryCells, Source, StoreCells, log_normalise
from selfcell.data.specs import CorpusSource, CorpusSpec
from selfcell.data.splits import matches, side_ids
from selfcell.data.store import Store
from selfcell.errors import DataError
from selfcell.keys import derive, generator
from selfcell.provenance import short_hash

CHUNK = 4096
FUSED = 1 << 28  # entries of all cells; under it, loading the compiled loops costs more
Splits = Mapping[str, Mapping[str, Any]]
Picks = list[tuple[str, np.ndarray]]  # positions by data set


def cells_hash(ids: Iterable[str]) -> str:
    """Hash of a set of cells, whatever their order."""
    return short_hash(sorted(ids))


@dataclass(frozen=True)
class Selection:
    """Cells that a corpus consists of.

    Attributes:
        rows: positions by data set, in the order of the corpus's sources.
        ids: of those cells, in that order.
        excluded: test cells that were dropped.
    """

    rows: tuple[tuple[str, np.ndarray], ...]
    ids: tuple[str, ...]
    excluded: int


def select(
    spec: CorpusSpec,
    obs: Mapping[str, pd.DataFrame],
    splits: Splits,
    targets: Sequence[str] | None = None,
) -> Selection:
    """Choose the cells of a corpus.

    Args:
        obs: by data set, one row per cell, indexed by cell id.
        splits: by target.
        targets: whose test cells are excluded; None: those of `spec.targets`.

    Raises:
        DataError: an unknown data set, target or value, a cell chosen twice, none left, or test
            cells where `spec.exclude` is off.
    """
    names = spec.targets if targets is None else targets
    test = {cell for name in names for cell in side_ids(_split(splits, name, spec), "test")}
    picks = [(source.dataset, _rows(source, obs, splits, spec)) for source in spec.sources]
    kept = []
    for dataset, rows in picks:
        kept.append((dataset, rows[~obs[dataset].index[rows].isin(test)]))
    excluded = sum(len(rows) for _, rows in picks) - sum(len(rows) for _, rows in kept)
    if excluded and not spec.exclude:
        raise DataError(
            f"corpus {spec.name!r} holds {excluded} test cells of its targets",
            "no test cell in a corpus",
            "set exclude: true, or choose other cells",
        )
    kept = _of_donors(spec, kept, obs)
    kept = _at_most(spec, kept, obs)
    ids = tuple(str(cell) for dataset, rows in kept for cell in obs[dataset].index[rows])
    if not ids:
        raise DataError(
            f"corpus {spec.name!r} is empty: of the cells chosen, {excluded} are test cells",
            "at least one that no target tests",
            "choose other cells; targets that test each other's training cells take a study each",
        )
    if len(set(ids)) != len(ids):
        raise DataError(f"corpus {spec.name!r} chooses a cell twice", "each cell once")
    return Selection(tuple(kept), ids, excluded)


def _rows(
    source: CorpusSource, obs: Mapping[str, pd.DataFrame], splits: Splits, spec: CorpusSpec
) -> np.ndarray:
    if source.dataset not in obs:
        raise DataError(
            f"corpus {spec.name!r}: unknown data set {source.dataset!r}",
            f"one of: {', '.join(sorted(obs))}",
        )
    table = obs[source.dataset]
    if not source.pool_of:
        return np.flatnonzero(matches(table, source.where, f"corpus {spec.name!r}"))
    pool = side_ids(_split(splits, source.pool_of, spec), "pool")
    rows = np.flatnonzero(table.index.isin(pool))
    if len(rows) != len(pool):
        raise DataError(
            f"corpus {spec.name!r}: the pool of {source.pool_of!r} is not of {source.dataset!r}",
            "the data set of that target",
        )
    return rows


def _split(splits: Splits, target: str, spec: CorpusSpec) -> Mapping[str, Any]:
    if target not in splits:
        raise DataError(
            f"corpus {spec.name!r}: unknown target {target!r}",
            f"one of: {', '.join(sorted(splits))}",
        )
    return splits[target]


def _of_donors(spec: CorpusSpec, picks: Picks, obs: Mapping[str, pd.DataFrame]) -> Picks:
    """Keep the cells of the `max_donors` donors of lowest hash, so that choices are nested."""
    if not spec.max_donors:
        return picks
    names = [
        np.array([f"{dataset}:{donor}" for donor in obs[dataset]["donor"].iloc[rows]], dtype=str)
        for dataset, rows in picks
    ]
    for dataset, rows in picks:
        if (obs[dataset]["donor"].iloc[rows] == "unknown").any():
            raise DataError(
                f"corpus {spec.name!r}: data set {dataset!r} has cells of unknown donors",
                "a donor for each cell, to draw max_donors",
                "set `donor:` of the data set, or draw max_cells",
            )
    donors = sorted(set(np.concatenate(names).tolist()))
    kept = sorted(donors, key=lambda donor: derive("max_donors", spec.draw, donor))
    chosen = kept[: spec.max_donors]
    return [
        (dataset, rows[np.isin(own, chosen)])
        for (dataset, rows), own in zip(picks, names, strict=True)
    ]


def _at_most(spec: CorpusSpec, picks: Picks, obs: Mapping[str, pd.DataFrame]) -> Picks:
    """Keep the `max_cells` cells of lowest hash: choices are nested and depend on no order."""
    n = spec.max_cells
    if not n or sum(len(rows) for _, rows in picks) <= n:
        return picks
    ranks = [
        np.array(
            [derive("max_cells", spec.draw, cell) for cell in obs[dataset].index[rows]],
            dtype=np.int64,
        )
        for dataset, rows in picks
    ]
    limit = np.partition(np.concatenate(ranks), n - 1)[n - 1]
    return [
        (dataset, rows[rank <= limit]) for (dataset, rows), rank in zip(picks, ranks, strict=True)
    ]


@dataclass(frozen=True)
class Corpus:
    """Cells to pre-train on.

    Attributes:
        name: of the corpus.
        cells: the cells; a loader's source.
        gene_ids, symbols: the vocabulary, in column order.
        measured_G: bool, genes that all of the corpus's data sets measured.
        train_N, validation_N: positions of the training and the validation cells, ascending.
        report: name, n_cells, n_train, n_validation, excluded (test cells dropped), cells (hash).
    """

    name: str
    cells: Source
    gene_ids: Sequence[str]
    symbols: Sequence[str]
    measured_G: np.ndarray
    train_N: np.ndarray
    validation_N: np.ndarray
    report: Mapping[str, Any]

    @classmethod
    def build(cls, spec: CorpusSpec, stores: Mapping[str, Store], splits: Splits) -> Corpus:
        """Choose the cells of a corpus, hold back validation cells, shuffle genes if asked.

        Raises DataError as `select`, and for a corpus of one cell.
        """
        chosen = select(spec, {name: store.obs for name, store in stores.items()}, splits)
        picks = [(stores[name], rows) for name, rows in chosen.rows if len(rows)]
        stored = StoreCells.of(picks)
        train_N, validation_N = _hold_back(spec, chosen.ids)
        gene_ids = stored.parts[0].gene_ids
        report = {
            "name": spec.name,
            "n_cells": len(chosen.ids),
            "n_train": len(train_N),
            "n_validation": len(validation_N),
            "excluded": chosen.excluded,
            "cells": cells_hash(chosen.ids),
        }
        cells: Source = shuffle_genes(stored, gene_ids) if spec.shuffle_genes else stored
        symbols = stored.parts[0].symbols
        return cls(
            spec.name, cells, gene_ids, symbols, stored.measured_G, train_N, validation_N, report
        )

    @property
    def genes(self) -> dict[str, str]:
        """Symbol by gene id, in column order."""
        return dict(zip(self.gene_ids, self.symbols, strict=True))

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """`mean_G` of log1p expression, `detection_G` in [0, 1]; float32, of training cells."""
        sum_G = np.zeros(len(self.gene_ids))
        seen_G = np.zeros(len(self.gene_ids))
        read = self._expression()
        for start in range(0, len(self.train_N), CHUNK):
            x = read(self.train_N[start : start + CHUNK])
            sum_G += np.asarray(x.sum(axis=0, dtype=np.float64)).ravel()
            seen_G += np.bincount(x.indices, minlength=len(seen_G))
        n = len(self.train_N)
        return (sum_G / n).astype(np.float32), (seen_G / n).astype(np.float32)

    def _expression(self) -> Callable[[np.ndarray], csr_matrix]:
        """Log1p expression of cells by position; of few cells by NumPy, to the same bits."""
        cells = self.cells
        if isinstance(cells, StoreCells) and len(self.train_N) * len(self.gene_ids) >= FUSED:
            from selfcell.data.gather import Reader

            return Reader(cells).sparse
        return lambda index: log_normalise(cells.rows(index), cells.total_N[index])


def _hold_back(spec: CorpusSpec, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation positions; the validation cells are those of lowest hash."""
    if len(ids) < 2:
        raise DataError(f"corpus {spec.name!r} has {len(ids)} cell", "at least 2")
    rank = np.array([derive("validation", cell) for cell in ids], dtype=np.int64)
    n = min(math.ceil(spec.validation * len(ids)), len(ids) - 1)
    order = np.argsort(rank, kind="stable")
    return np.sort(order[n:]), np.sort(order[:n])


def shuffle_genes(cells: StoreCells, gene_ids: Sequence[str]) -> MemoryCells:
    """Control: permute each gene's counts across cells, independently of the other genes.

    Each gene keeps its counts, so its detection and its marginal distribution; what genes do
    together is gone. The counts outside the vocabulary are permuted as one more gene and a cell's
    total is the sum of what it received: a permuted cell under its old total would carry the old
    depth into every gene.
    """
    n = len(cells.ids)
    counts = cells.rows(np.arange(n)).tocsc()
    rest_N = cells.total_N - np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    for column, gene in enumerate(gene_ids):
        at = slice(counts.indptr[column], counts.indptr[column + 1])
        counts.indices[at] = generator("shuffle", gene).permutation(n)[counts.indices[at]]
    counts.has_sorted_indices = False
    shuffled = counts.tocsr()
    shuffled.sort_indices()
    total_N = np.asarray(shuffled.sum(axis=1, dtype=np.float64)).ravel()
    total_N += generator("shuffle", "rest").permutation(rest_N)
    # A cell that received nothing at all is a cell of zeros, whatever it is divided by.
    return MemoryCells(shuffled, np.maximum(total_N, 1).astype(np.int64), cells.key_N)
