"""How much of a target's variation a corpus holds: an index that needs no label of either.

Principal axes are fitted twice, on the corpus and on the target's own training side, and both are
asked how much of the test cells' variance they explain. The quotient is near 1 where the corpus
varies as the target does, and near 0 where it lacks what tells the target's cells apart. That it
foretells whether pre-training helps is a hypothesis, from few targets.

Shape suffixes: N test cells, P cells of the training side, C corpus cells, G genes, D axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from selfcell.baselines import pca
from selfcell.data.cells import StoreCells
from selfcell.data.corpus import Corpus
from selfcell.data.specs import CorpusSpec
from selfcell.data.splits import side_ids
from selfcell.data.store import Store
from selfcell.errors import DataError
from selfcell.tasks.rivals import expression

AXES = 50


@dataclass(frozen=True)
class Shared:
    """What two sets of axes explain of the same cells.

    Attributes:
        by_corpus, by_own: share of the test cells' variance along the axes, in [0, 1] but for
            rounding.
        axes: how many axes each has at most.
    """

    by_corpus: float
    by_own: float
    axes: int

    @property
    def quotient(self) -> float:
        """by_corpus over by_own: at least 0; above 1 where the corpus serves the test cells better
        than the target's own training side does."""
        return self.by_corpus / self.by_own


def explained(x_NG: sparse.csr_matrix, axes_GD: np.ndarray) -> float:
    """Share in [0, 1], but for rounding, of the cells' variance that lies along orthonormal axes.

    The cells are centred on their own mean, so a shift between data sets costs nothing.

    Raises DataError for cells without variance.
    """
    mean_G = np.asarray(x_NG.mean(axis=0, dtype=np.float64)).ravel()
    whole = float(x_NG.multiply(x_NG).sum(dtype=np.float64)) / x_NG.shape[0] - mean_G @ mean_G
    if whole <= 0:
        raise DataError(f"{x_NG.shape[0]} test cells are all alike", "cells that differ")
    z_ND = np.asarray(x_NG @ axes_GD, dtype=np.float64)
    return float(z_ND.var(axis=0).sum() / whole)


def principal(x_NG: sparse.csr_matrix, width: int) -> np.ndarray:
    """(G, D) orthonormal principal axes, `width` of them, or as many as the cells vary along: past
    those a decomposition gives any directions at all."""
    axes_GD = pca.fit(x_NG, width).axes_GD
    variance_D = np.asarray(x_NG @ axes_GD, dtype=np.float64).var(axis=0)
    return axes_GD[:, variance_D > 1e-6 * variance_D.max()]


def shared(
    corpus_CG: sparse.csr_matrix, own_PG: sparse.csr_matrix, test_NG: sparse.csr_matrix
) -> Shared:
    """Fit axes on corpus and own cells, as many on each, and hold the test cells to both.

    Source: Jolliffe 2002, ch. 1 (variance along principal axes).
    Differs from the paper: the axes of one data set are asked about another's cells.

    Args:
        corpus_CG, own_PG, test_NG: log1p expression over one vocabulary.

    Raises:
        DataError: fewer than 3 cells on a side, test cells without variance, or own axes along
            which the test cells do not vary.
    """
    axes = min(AXES, *(min(part.shape) - 1 for part in (corpus_CG, own_PG)))
    by_corpus, by_own = (explained(test_NG, principal(x, axes)) for x in (corpus_CG, own_PG))
    if by_own <= 0:
        raise DataError("the test cells vary along no axis of the training side", "cells alike")
    return Shared(by_corpus, by_own, axes)


def rows(
    asked: Mapping[str, Sequence[str]],
    corpora: Sequence[CorpusSpec],
    stores: Mapping[str, Store],
    splits: Mapping[str, Mapping[str, Any]],
) -> Iterator[dict[str, object]]:
    """Rows of `stats.shared.SHARED`.

    All cells of a side count, of types that are left out too: no label is read.

    Args:
        asked: by target, names of its corpora.
        stores: by data set. splits: by target, those of every other target among them.
    """
    for spec in corpora:
        corpus = Corpus.build(spec, stores, splits)
        corpus_CG = expression(corpus.cells, corpus.train_N)
        for target in (name for name, corpora in asked.items() if spec.name in corpora):
            store = stores[splits[target]["dataset"]]
            own_PG, test_NG = (_side(store, splits[target], side) for side in ("pool", "test"))
            found = shared(corpus_CG, own_PG, test_NG)
            yield {
                "target": target,
                "corpus": spec.name,
                "by_corpus": found.by_corpus,
                "by_own": found.by_own,
                "shared_variance": found.quotient,
                "axes": found.axes,
                "n_corpus": corpus_CG.shape[0],
                "n_own": own_PG.shape[0],
                "n_test": test_NG.shape[0],
            }


def _side(store: Store, split: Mapping[str, Any], side: str) -> sparse.csr_matrix:
    cells = StoreCells.named(store, side_ids(split, side))
    return expression(cells, np.arange(len(cells.ids)))
