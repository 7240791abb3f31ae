"""From predictions to rows of the score table; every arm of every kind is scored here.

`n_labels` is the number of labelled cells that a prediction was learned from, `n_train` the
number of cells whose expression its classifier was fitted to: the same for readouts of a frozen
embedding, the whole pool for self-training, labelled cells less the validation ones for
fine-tuning with early stopping.

Shape suffixes: N test cells, P pool cells, D dimensions, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from selfcell.errors import DataError
from selfcell.metrics import classify
from selfcell.stats.predictions import PREDICTIONS
from selfcell.stats.table import COLUMNS
from selfcell.tasks.readouts import RE_SCORES, READOUTS, predict_all, usable

UNSCORED = ("diverged", "collapsed")
FLAT = 1e-6
"""Spread of an embedding, relative to its size, below which all cells are the same point."""


@dataclass(frozen=True)
class Truth:
    """What scoring needs of a split.

    Attributes:
        classes: types that are scored; a code is a position in it.
        pool_P, test_N: int64 class codes of pool and test cells.
        draws: by label regime, the labelled pool cells (positions) of each draw.
    """

    classes: Sequence[str]
    pool_P: np.ndarray
    test_N: np.ndarray
    draws: Mapping[str, Sequence[np.ndarray]]

    @classmethod
    def of(cls, split: Mapping[str, Any]) -> Truth:
        """Read a split. Raises DataError for a foreign label, an empty draw or a wrong position."""
        place = {label: code for code, label in enumerate(split["classes"])}
        for side in ("pool_labels", "test_labels"):
            foreign = sorted(set(split[side]) - set(place))
            if foreign:
                raise DataError(
                    f"{side}: {foreign[0]!r} is not in the class list", str(list(place))
                )
        pool_P, test_N = (
            np.array([place[label] for label in split[side]], dtype=np.int64)
            for side in ("pool_labels", "test_labels")
        )
        draws = {
            str(regime): [np.array(draw, dtype=np.int64) for draw in sets]
            for regime, sets in split["draws"].items()
        }
        for regime, sets in draws.items():
            for number, draw in enumerate(sets):
                if draw.size == 0 or draw.min() < 0 or draw.max() >= len(pool_P):
                    raise DataError(
                        f"draw {number} of regime {regime} is empty or points outside the pool",
                        f"positions in [0, {len(pool_P)})",
                    )
        return cls(list(split["classes"]), pool_P, test_N, draws)

    def each_draw(self) -> Iterator[tuple[str, int, np.ndarray]]:
        """(regime, draw, labelled pool positions), regimes in the split's order."""
        for regime, sets in self.draws.items():
            for number, draw in enumerate(sets):
                yield regime, number, draw


@dataclass
class Scores:
    """Rows under construction; `frames` makes the two tables of them.

    Attributes:
        keys: the columns that are the same in every row: study, protocol, corpus, target, split,
            method, init, seed, mode, run_hash. `task` is "annotate" unless given.
        truth: of the target.
    """

    keys: Mapping[str, Any]
    truth: Truth
    _scores: list[dict[str, Any]] = field(default_factory=list)
    _predictions: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        predicted_N: np.ndarray | None,
        proba_NK: np.ndarray | None = None,
        *,
        regime: str,
        draw: int,
        readout: str,
        n_labels: int,
        n_train: int | None = None,
        status: str = "ok",
    ) -> None:
        """Score one set of predictions of the test cells.

        Args:
            predicted_N: class codes, or None where there are none.
            proba_NK: class probabilities, for the calibration error.
            regime, draw, readout, n_labels, n_train, status: columns of the score table;
                n_train is n_labels if not given. With a status of `UNSCORED` values stay empty.
        """
        run = {"regime": regime, "draw": int(draw), "readout": readout}
        size = {"n_labels": int(n_labels), "n_train": int(n_labels if n_train is None else n_train)}
        if status in UNSCORED or predicted_N is None:
            if status not in UNSCORED:
                raise ValueError(f"status {status!r} without predictions")
            measured = self._empty()
        else:
            measured = score_predictions(self.truth, predicted_N, proba_NK)
            codes = np.asarray(predicted_N, dtype=np.int16)
            self._predictions.append({**run, "predicted": codes})
        self._scores += [{**run, **size, "status": status, **row} for row in measured]

    def _empty(self) -> list[dict[str, Any]]:
        scored = score_predictions(self.truth, self.truth.test_N, None)
        return [{**row, "value": np.nan} for row in scored]

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The score rows and the prediction rows, in the order in which they were added."""
        scores = pd.DataFrame(self._scores).assign(**{"task": "annotate", **self.keys})
        plain = scores["protocol"] == "intended"
        scores.loc[plain & scores["readout"].isin(RE_SCORES), "protocol"] = "published"
        known = {name: value for name, value in self.keys.items() if name in PREDICTIONS.names}
        if not self._predictions:
            return scores[COLUMNS], pd.DataFrame(columns=PREDICTIONS.names)
        predictions = pd.DataFrame(self._predictions).assign(**known)
        return scores[COLUMNS], predictions[PREDICTIONS.names]


def score_predictions(
    truth: Truth, predicted_N: np.ndarray, proba_NK: np.ndarray | None
) -> list[dict[str, Any]]:
    """Columns level, label, metric, value, higher_is_better and n_test of one set of predictions.

    Overall metrics first, then F1 of each type of the test set; `n_test` is the number of test
    cells, of the type where there is one.
    """
    table_KK1 = classify.confusion(truth.test_N, predicted_N, len(truth.classes))
    overall = classify.overall(truth.test_N, predicted_N, len(truth.classes), proba_NK)
    rows = [_row("overall", "", name, value, len(truth.test_N)) for name, value in overall.items()]
    types = classify.per_type(table_KK1)
    for label, f1, cells in zip(truth.classes, types.f1_K, types.support_K, strict=True):
        if cells:
            rows.append(_row("type", label, "f1", float(f1), int(cells)))
    return rows


def _row(level: str, label: str, metric: str, value: float, n_test: int) -> dict[str, Any]:
    better = metric not in classify.LOWER_IS_BETTER
    row = {"level": level, "label": label, "metric": metric, "value": value}
    return {**row, "higher_is_better": better, "n_test": n_test}


def embedding_status(z_PD: np.ndarray, z_ND: np.ndarray, status: str = "ok") -> str:
    """Status of an embedding: "diverged" with NaN or infinite values, "collapsed" if all its test
    cells are one point, else the given one."""
    if not (np.isfinite(z_PD).all() and np.isfinite(z_ND).all()):
        return "diverged"
    size = float(np.abs(z_ND).max(initial=0.0))
    if size == 0.0 or float(np.ptp(z_ND, axis=0).max(initial=0.0)) <= FLAT * size:
        return "collapsed"
    return status


def evaluate_frozen(
    pool_PD: np.ndarray,
    test_ND: np.ndarray,
    truth: Truth,
    readouts: Sequence[str],
    keys: Mapping[str, Any],
    status: str = "ok",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score a frozen embedding with every readout, at every label regime and draw.

    Args:
        pool_PD, test_ND: embeddings of the split's pool and test cells, in the split's order.
        truth: of the split.
        readouts: names out of `READOUTS`, `RE_SCORES` being added; a readout sits out regimes
            with too few labels.
        keys: see `Scores`.
        status: of the model ("not_learned" keeps its values); an unusable embedding is found
            here, whatever the status says.

    Returns:
        Score rows and prediction rows (see `selfcell.stats.table`), in a fixed order.

    Raises:
        DataError: rows that do not fit the split, or a readout of an unknown name.
    """
    fits = len(pool_PD) == len(truth.pool_P) and len(test_ND) == len(truth.test_N)
    if not fits:
        raise DataError(
            f"embeddings of {len(pool_PD)} pool and {len(test_ND)} test cells",
            f"{len(truth.pool_P)} and {len(truth.test_N)}, as in the split",
        )
    unknown = sorted(set(readouts) - set(READOUTS))
    if unknown:
        raise DataError(f"unknown readout {unknown[0]!r}", f"one of {', '.join(READOUTS)}")
    status = embedding_status(pool_PD, test_ND, status)
    scores = Scores(keys, truth)
    from tqdm import tqdm

    title = f"{keys['method']} on {keys['target']}"
    every = list(truth.each_draw())
    for regime, number, draw in tqdm(every, desc=title, unit="draw", mininterval=1.0):
        names = usable(list(dict.fromkeys([*readouts, *RE_SCORES])), regime)
        run: dict[str, Any] = {"regime": regime, "draw": number}
        run |= {"n_labels": len(draw), "status": status}
        if status in UNSCORED:
            for name in names:
                scores.add(None, readout=name, **run)
            continue
        z_ND, y_N, classes = pool_PD[draw], truth.pool_P[draw], len(truth.classes)
        for name, predicted in predict_all(names, z_ND, y_N, classes, test_ND):
            scores.add(*predicted, readout=name, **run)
    return scores.frames()
