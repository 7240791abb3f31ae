"""Unseen data: labels of one study for cells of another, and genes that are missing there.

The query is the test cells of an annotation target, so that nothing of the study was learned from
them. Of the genes that both data sets measured a share is "removed" at query time (not in the
file: no count, and none in the cell's total) or "renamed" (their names mixed up, each count under
another gene). Networks, PCA and classifiers are those of the whole genes and are not told; the
`_shared` rival is told which genes are left.

Source: Richter et al. 2024, unseen data sets (missing genes filled with zeros, totals of the genes
that are there). Differs from the paper: shares of genes in a grid, names mixed up, the reference
of another laboratory instead of a held-out part of one atlas.

Shape suffixes: P reference cells, N query cells, G genes, D dimensions, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from tqdm import tqdm

from selfcell.baselines.random_encoder import embed
from selfcell.data.cells import StoreCells, log_normalise
from selfcell.data.specs import SplitSpec
from selfcell.data.splits import make_split, matches
from selfcell.data.store import Store
from selfcell.data.types import common
from selfcell.keys import generator
from selfcell.metrics import classify
from selfcell.specs import Afar, FrozenSpec
from selfcell.stats.predictions import PREDICTIONS
from selfcell.stats.table import COLUMNS
from selfcell.tasks.annotate import require_genes
from selfcell.tasks.model import Trained
from selfcell.tasks.readouts import READOUTS, usable
from selfcell.tasks.reconstruct import fewest_hash
from selfcell.tasks.score import UNSCORED, Truth, embedding_status

KINDS = ("removed", "renamed")
SHARED = "genes_shared"


class Level(NamedTuple):
    """What happened to the query's genes: a kind of `KINDS` ("" for nothing) and a share."""

    kind: str = ""
    share: float = 0.0

    @property
    def label(self) -> str:
        """As in the score table, such as "removed 0.25"."""
        return f"{self.kind} {self.share:g}" if self.kind else ""


class View(NamedTuple):
    """The query as it arrives: float32 CSR log1p expression (N, G), and bool, genes with their
    own counts."""

    x_NG: sparse.csr_matrix
    left_G: np.ndarray


Predict = Callable[[View], np.ndarray]


@dataclass(frozen=True)
class Data:
    """Reference and query of an unseen target.

    Attributes:
        keys: columns target and split of the score table. truth: types, draws of labels.
        x_PG: float32 CSR log1p expression of the reference over the genes that both measured.
        counts_NG, total_N: of the query, over the same genes.
        shared_G: bool, those genes. known: genes that the reference measured.
        store: of the query.
    """

    keys: Mapping[str, str]
    truth: Truth
    x_PG: sparse.csr_matrix
    counts_NG: sparse.csr_matrix
    total_N: np.ndarray
    shared_G: np.ndarray
    known: int
    store: Store
    _views: dict[tuple[Level, int], View] = field(default_factory=dict)

    @classmethod
    def read(
        cls, name: str, spec: Afar, stores: Mapping[str, Store], query: Mapping[str, Any]
    ) -> Data:
        """Read both sides, cells of a common type alone.

        Args:
            name: of the unseen target.
            query: the split of the target `spec.query`; its test cells are annotated.
        """
        theirs, own = stores[spec.reference.dataset], stores[query["dataset"]]
        what = f"reference of {name!r}"
        ids = theirs.obs.index[matches(theirs.obs, spec.reference.where, what)].tolist()
        asked = fewest_hash(query["test"], spec.max_cells)
        sides = {spec.reference.dataset: (theirs, ids), query["dataset"]: (own, asked)}
        split = make_split(
            pd.concat([_obs(dataset, *side, spec) for dataset, side in sides.items()]),
            SplitSpec(
                target=name, dataset=query["dataset"], kind="column", column="batch",
                train=(spec.reference.dataset,), test=(query["dataset"],),
            ),
            spec.labels,
        )  # fmt: skip
        picks = ((theirs, split["pool"]), (own, split["test"]))
        cells = StoreCells.of([(store, store.obs.index.get_indexer(i)) for store, i in picks])
        pool, test = (np.flatnonzero(cells.part_N == part) for part in (0, 1))
        return cls(
            {"target": name, "split": split["hash"]},
            Truth.of(split),
            log_normalise(cells.rows(pool), cells.total_N[pool]),
            cells.rows(test),
            cells.total_N[test],
            cells.measured_G,
            int(theirs.measured_G.sum()),
            own,
        )

    def view(self, level: Level, draw: int) -> View:
        """The query with genes removed or renamed; the smaller share's genes are among those of
        the larger one, and the same for every arm."""
        order = generator("unseen genes", self.keys["target"], draw).permutation(
            np.flatnonzero(self.shared_G)
        )
        gone = order[: round(level.share * len(order))]
        left_G = self.shared_G.copy()
        left_G[gone] = False
        counts_NG, total_N = self.counts_NG.copy(), self.total_N
        if level.kind == "removed":
            lost_G = self.shared_G & ~left_G
            total_N = np.maximum(total_N - counts_NG @ lost_G.astype(np.float64), 1.0)
            counts_NG.data[lost_G[counts_NG.indices]] = 0
            counts_NG.eliminate_zeros()
        elif level.kind == "renamed":
            name_G = np.arange(len(left_G), dtype=counts_NG.indices.dtype)
            name_G[gone] = np.roll(gone, 1)
            counts_NG.indices = name_G[counts_NG.indices]
            counts_NG.has_sorted_indices = False
            counts_NG.sort_indices()
        return View(log_normalise(counts_NG, total_N), left_G)

    def views(self, shares: Sequence[float], draw: int) -> Iterator[tuple[Level, View]]:
        """The query whole, then at every kind and share."""
        for level in (Level(), *(Level(kind, share) for kind in KINDS for share in shares)):
            if (level, draw) not in self._views:  # every arm asks for the same ones
                self._views[level, draw] = self.view(level, draw)
            yield level, self._views[level, draw]


def _obs(name: str, store: Store, ids: Sequence[str], spec: Afar) -> pd.DataFrame:
    """Cells with their common types, the data set standing in the column of batches."""
    # Labels are looked up among all of the data set's, lest one that a sample misses seem wrong.
    types = pd.Series(common(store.obs["label"].to_numpy(str), name, spec.types), store.obs.index)
    columns = {"donor": "unknown", "batch": name, "condition": "unknown"}
    return pd.DataFrame({"label": types[list(ids)]}).assign(**columns)


@dataclass
class Rows:
    """Rows of one arm under construction.

    Attributes:
        keys: study, protocol, corpus, method, init, seed, mode and run_hash of the score table.
    """

    keys: Mapping[str, Any]
    data: Data
    _scores: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        predicted_N: np.ndarray | None,
        left_G: np.ndarray,
        level: Level,
        run: Mapping[str, Any],
    ) -> None:
        """Score predictions of the query at one level; None where the status is unscored."""
        truth = self.data.truth
        shown_N = truth.test_N if predicted_N is None else predicted_N
        found = classify.overall(truth.test_N, shown_N, len(truth.classes))
        if predicted_N is None:
            found = dict.fromkeys(found, np.nan)
        else:
            found[SHARED] = float(left_G.sum() / self.data.known)
        where = {"level": "genes" if level.kind else "overall", "label": level.label}
        for metric, value in found.items():
            self._scores.append({**run, **where, "metric": metric, "value": value})

    def predict(self, shares: Sequence[float], readout: str, fit: Callable[..., Predict]) -> None:
        """Score what `fit` learns from each draw's labels; it is given the draw's number, its
        positions in the reference and their codes."""
        for regime, draw, rows in self._each_draw():
            run = self._run(regime, draw, readout, len(rows), "ok")
            learned = fit(draw, rows, self.data.truth.pool_P[rows])
            for level, view in self.data.views(shares, draw):
                self.add(learned(view), view.left_G, level, run)

    def code(
        self,
        shares: Sequence[float],
        readouts: Sequence[str],
        encode: Callable[[sparse.csr_matrix], np.ndarray],
        status: str = "ok",
    ) -> None:
        """Score readouts of an embedding, fitted on the labelled cells of the reference."""
        classes = len(self.data.truth.classes)
        for regime, draw, rows in self._each_draw():
            z_PD, y_P = encode(self.data.x_PG[rows]), self.data.truth.pool_P[rows]
            fitted = {name: READOUTS[name]() for name in usable(readouts, regime)}
            for level, view in self.data.views(shares, draw):
                z_ND = encode(view.x_NG)
                found = embedding_status(z_PD, z_ND, status)
                for name, readout in fitted.items():
                    predicted_N = None
                    if found not in UNSCORED:
                        if not level.kind:  # the whole query comes first
                            readout.fit(z_PD, y_P, classes)
                        predicted_N = readout.predict(z_ND)[0]
                    run = self._run(regime, draw, name, len(rows), found)
                    self.add(predicted_N, view.left_G, level, run)

    def _each_draw(self) -> Iterator[tuple[str, int, np.ndarray]]:
        """Draws of labels, counted on a bar."""
        title = f"{self.keys['method']} on {self.data.keys['target']}"
        every = list(self.data.truth.each_draw())
        return iter(tqdm(every, desc=title, unit="draw", mininterval=1.0))

    def _run(self, regime: str, draw: int, readout: str, n: int, status: str) -> dict[str, Any]:
        size = {"n_labels": n, "n_train": n}
        return {"regime": regime, "draw": draw, "readout": readout, "status": status, **size}

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The score rows, and no prediction rows."""
        n_test = len(self.data.truth.test_N)
        plain = {"task": "unseen", "higher_is_better": True, "n_test": n_test}
        scores = pd.DataFrame(self._scores).assign(**plain, **self.data.keys, **self.keys)
        return scores[COLUMNS], pd.DataFrame(columns=PREDICTIONS.names)


def frozen(spec: FrozenSpec, model: Trained, data: Data, run_hash: str) -> Rows:
    """Rows of a frozen model. Raises StoreError where its genes are not the stores'."""
    require_genes(model, data.store)
    asked = spec.unseen[data.keys["target"]]
    rows = Rows(spec.keys("pretrained", "frozen", run_hash), data)
    encoder = model.put_into(spec.network)
    rows.code(asked.shares, asked.readouts, lambda x_NG: embed(encoder, x_NG), model.status)
    return rows
