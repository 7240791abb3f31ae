"""Cross-modality prediction: surface proteins of a cell from its RNA.

Proteins are normalised over those that are predicted, cell by cell: "clr" (centred log-ratio, the
field's: log1p counts less their mean over the cell's proteins, so that a cell's or an experiment's
depth of staining cancels) or "log1p" (the paper's: log1p counts as they are). Readouts of a code:
"ridge", with the batch as covariate, and "knn5", the mean of the five nearest training cells.

The batch is one-hot over the training batches, absent (zero) for 15 % of the training cells drawn
at random, and zero for cells of a batch that was not trained on.

Source: Richter et al. 2024, cross-modality prediction (RNA to ADT).
Differs from the paper: the covariate enters at the head alone, since the pre-trained encoder has
no input for it; the same normalised RNA in training and test; the head is linear.

Shape suffixes: P pool cells, N test cells, M training cells of a draw, D dimensions, K training
batches, Q proteins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch

from selfcell.data import loader
from selfcell.data.cells import StoreCells
from selfcell.data.splits import pool_dataset
from selfcell.data.store import Store
from selfcell.keys import generator
from selfcell.metrics import protein as metrics
from selfcell.specs import FrozenSpec
from selfcell.stats.predictions import PREDICTIONS
from selfcell.stats.table import COLUMNS
from selfcell.tasks import ridge
from selfcell.tasks.model import Trained, embed
from selfcell.tasks.neighbours import nearest
from selfcell.tasks.score import UNSCORED, embedding_status

DROPPED = 0.15
READOUTS = ("ridge", "knn5")


@dataclass(frozen=True)
class Data:
    """Cells of a protein target, as every arm takes them.

    Attributes:
        split: the split file. pool: cells of the pool.
        x_PG, x_NG: float32 log1p expression. y_PQ, y_NQ: float32 normalised proteins.
        batch_PK, batch_NK: float32 one-hot batch of each cell; zero for batches not trained on.
        in_batch_N: text, batch of each test cell.
    """

    split: Mapping[str, Any]
    pool: StoreCells
    x_PG: torch.Tensor
    x_NG: torch.Tensor
    y_PQ: np.ndarray
    y_NQ: np.ndarray
    batch_PK: np.ndarray
    batch_NK: np.ndarray
    in_batch_N: np.ndarray

    @classmethod
    def read(cls, stores: Mapping[str, Store], split: Mapping[str, Any], how: str) -> Data:
        """Read both sides of a split; `how` normalises proteins ("clr" or "log1p")."""
        sides = (stores[pool_dataset(split)], "pool"), (stores[split["dataset"]], "test")
        cells = [StoreCells.named(store, split[side]) for store, side in sides]
        x_PG, x_NG = (loader.normalise(c.rows(np.arange(len(c.ids))), c.total_N) for c in cells)
        y_PQ, y_NQ = (
            normalise(store.protein.loc[split[side], split["proteins"]].to_numpy(), how)
            for store, side in sides
        )
        names = [
            (store.path.parent.name + "/" + store.obs.loc[split[side], "batch"]).to_numpy(str)
            for store, side in sides
        ]
        known = np.unique(names[0])
        batch_PK, batch_NK = ((own[:, None] == known).astype(np.float32) for own in names)
        return cls(split, cells[0], x_PG, x_NG, y_PQ, y_NQ, batch_PK, batch_NK, names[1])

    def draws(self) -> Iterator[tuple[str, int, np.ndarray]]:
        """(regime, draw, positions in the pool) of each draw."""
        for regime, draws in self.split["draws"].items():
            for number, rows in enumerate(draws):
                yield regime, number, np.array(rows, dtype=np.int64)

    def covariate(self, rows: np.ndarray, *key: object) -> np.ndarray:
        """(M, K) batch of training cells, zero for 15 % of them."""
        rng = generator("protein batch", self.split["target"], *key)
        keep_M1 = rng.random((len(rows), 1)) >= DROPPED
        return np.asarray(self.batch_PK[rows] * keep_M1, dtype=np.float32)


def normalise(count_NQ: np.ndarray, how: str) -> np.ndarray:
    """(N, Q) float32 proteins of counts; "log1p" of them, or "clr": less each cell's mean of it.

    Source: Stoeckius et al. 2017 (CITE-seq), centred log-ratio, over the proteins of a cell.
    Differs from the paper: log1p for log, since counts are 0.
    """
    y_NQ = np.log1p(np.asarray(count_NQ, dtype=np.float64))
    centre_N1 = y_NQ.mean(1, keepdims=True) if how == "clr" else 0.0
    return np.asarray(y_NQ - centre_N1, dtype=np.float32)


@dataclass
class Rows:
    """Rows of one arm under construction.

    Attributes:
        keys: study, protocol, corpus, method, init, seed, mode and run_hash of the score table.
        data: of the target.
    """

    keys: Mapping[str, Any]
    data: Data
    _scores: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        predicted_NQ: np.ndarray | None,
        regime: str,
        draw: int,
        readout: str,
        n_train: int,
        status: str = "ok",
    ) -> None:
        """One prediction of the test cells; None where the status is one of `UNSCORED`."""
        truth_NQ, names = self.data.y_NQ, self.data.split["proteins"]
        shown_NQ = truth_NQ if predicted_NQ is None else predicted_NQ
        each_Q = metrics.correlation(truth_NQ, shown_NQ)
        found = [("overall", "", *pair) for pair in metrics.values(truth_NQ, shown_NQ).items()]
        found += [
            ("protein", name, "pearson", r) for name, r in zip(names, each_Q.tolist(), strict=True)
        ]
        run = {"regime": regime, "draw": draw, "readout": readout, "status": status}
        size = {"n_labels": n_train, "n_train": n_train, "n_test": len(truth_NQ)}
        for level, label, metric, value in found:
            what = {"level": level, "label": label, "metric": metric}
            better = metric not in metrics.LOWER_IS_BETTER
            value = np.nan if predicted_NQ is None else value
            row = {"value": value, "higher_is_better": better}
            self._scores.append({**run, **size, **what, **row})

    def code(self, pool_PD: np.ndarray, test_ND: np.ndarray, status: str = "ok") -> None:
        """Both readouts of a code at every regime and draw."""
        status = embedding_status(pool_PD, test_ND, status)
        for regime, draw, rows in self.data.draws():
            for name in READOUTS:
                predicted_NQ = None
                if status not in UNSCORED:
                    read = by_ridge if name == "ridge" else by_neighbours
                    predicted_NQ = read(self.data, rows, pool_PD, test_ND, (regime, draw))
                self.add(predicted_NQ, regime, draw, name, len(rows), status)

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The score rows, and no prediction rows."""
        split = self.data.split
        plain = {"task": "protein", "target": split["target"], "split": split["hash"]}
        scores = pd.DataFrame(self._scores).assign(**plain, **self.keys)
        return scores[COLUMNS], pd.DataFrame(columns=PREDICTIONS.names)


def by_ridge(
    data: Data,
    rows: np.ndarray,
    pool_PD: np.ndarray,
    test_ND: np.ndarray,
    key: Sequence[object],
) -> np.ndarray:
    """(N, Q) by ridge regression on the code, scaled to a mean variance of 1, and the batch."""
    scale = np.sqrt(pool_PD[rows].var(0, dtype=np.float64).mean())
    scale = np.float32(scale if scale > 0 else 1.0)
    train_MD = np.hstack([pool_PD[rows] / scale, data.covariate(rows, *key)])
    fitted = ridge.fit(train_MD, data.y_PQ[rows])
    return fitted.predict(np.hstack([test_ND / scale, data.batch_NK]))


def by_neighbours(
    data: Data,
    rows: np.ndarray,
    pool_PD: np.ndarray,
    test_ND: np.ndarray,
    key: Sequence[object],
) -> np.ndarray:
    """(N, Q) mean of the five nearest training cells by Euclidean distance."""
    index_N5, _ = nearest(test_ND, pool_PD[rows], min(5, len(rows)))
    return np.asarray(data.y_PQ[rows][index_N5].mean(1))


def frozen(spec: FrozenSpec, model: Trained, data: Data, run_hash: str) -> Rows:
    """Rows of a frozen model on one protein target."""
    keys = spec.keys("pretrained", "frozen", run_hash)
    rows, encoder = Rows(keys, data), model.put_into(spec.network)
    codes = embed(encoder, data.x_PG).numpy(), embed(encoder, data.x_NG).numpy()
    rows.code(*codes, model.status)
    return rows
