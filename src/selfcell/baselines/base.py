"""What a baseline gets and gives, and the loop that scores baselines like every other arm.

Shape suffixes: P pool cells, N test cells, G genes, D dimensions, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy import sparse

from selfcell.baselines import BASELINES
from selfcell.data.cells import Source
from selfcell.errors import ConfigError, DataError
from selfcell.specs import Network, Training
from selfcell.tasks.score import Scores, Truth, evaluate_frozen

NONE, OWN_POOL = "none", "own_pool"


@dataclass(frozen=True)
class Supervision:
    """A corpus with its labels, for the one baseline that learns from them.

    Attributes:
        cells: a loader's source. rows: positions of the labelled training cells in it.
        label_N: text label of each of `rows`.
        network, training: of the study's pre-training.
    """

    cells: Source
    rows: np.ndarray
    label_N: np.ndarray
    network: Network
    training: Training


@dataclass(frozen=True)
class BaselineInputs:
    """One target's data. Expression is float32 CSR log1p of counts scaled to 10,000 a cell.

    Attributes:
        keys: columns study, protocol, target, split and run_hash of the score table.
        truth: labels and draws. An embedding never sees them; they serve `Direct` arms.
        pool_PG, test_NG: cells of the split over the vocabulary, in the split's order.
        corpora: cells over the vocabulary by corpus name, unlabelled.
        gene_ids: the vocabulary, in column order.
        own_G: bool, genes that the target's own training cells vary most in; None means all.
        batch_N: batch (or donor) of each test cell, for the permuted control.
        hidden, activation: of the study's encoder; its last width is every embedding's.
        seeds: of the arms that draw random weights.
        supervision: by corpus name, those of other data sets that have labels.
    """

    keys: Mapping[str, Any]
    truth: Truth
    pool_PG: sparse.csr_matrix
    test_NG: sparse.csr_matrix
    corpora: Mapping[str, sparse.csr_matrix]
    gene_ids: Sequence[str]
    own_G: np.ndarray | None
    batch_N: np.ndarray
    hidden: Sequence[int]
    activation: str
    seeds: Sequence[int]
    supervision: Mapping[str, Supervision] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises DataError where shapes do not fit each other."""
        genes = len(self.gene_ids)
        wanted = {"pool": len(self.truth.pool_P), "test": len(self.truth.test_N)}
        got = {"pool": self.pool_PG.shape, "test": self.test_NG.shape}
        for side, cells in wanted.items():
            if got[side] != (cells, genes):
                raise DataError(f"{side} expression is {got[side]}", f"({cells}, {genes})")
        for name, corpus in self.corpora.items():
            if corpus.shape[1] != genes:
                raise DataError(f"corpus {name} has {corpus.shape[1]} genes", f"{genes}")
        if self.own_G is not None and (self.own_G.shape != (genes,) or not self.own_G.any()):
            raise DataError("own_G selects no gene or has another length", f"{genes} flags")

    @property
    def width(self) -> int:
        """Dimensions of every baseline's embedding: the encoder's code size."""
        return int(self.hidden[-1])

    def own(self, x_NG: sparse.csr_matrix) -> sparse.csr_matrix:
        """Columns of the target's own best genes."""
        return x_NG if self.own_G is None else x_NG[:, np.flatnonzero(self.own_G)]


@dataclass(frozen=True)
class Embedded:
    """An embedding of pool and test cells; every readout is fitted on it.

    Attributes:
        method, corpus, init, seed: columns of the score table.
        pool_PD, test_ND: float32.
        protocol: "published" for an arm that repeats what the released code did; "": the study's.
    """

    method: str
    corpus: str
    init: str
    seed: int
    pool_PD: np.ndarray
    test_ND: np.ndarray
    protocol: str = ""


Prediction = tuple[np.ndarray, np.ndarray | None, int]
"""(N,) class codes, (N, K) probabilities or None, cells that the classifier was fitted to."""


@dataclass(frozen=True)
class Direct:
    """A baseline that predicts by itself; its readout is "none".

    Attributes:
        method, corpus, init, seed: columns of the score table.
        predict: called with each label regime, draw, and the draw's labelled pool cells.
    """

    method: str
    corpus: str
    init: str
    seed: int
    predict: Callable[[str, int, np.ndarray], Prediction]


Arm = Embedded | Direct
Arms = Callable[[BaselineInputs], Iterator[Arm]]


def run_baselines(
    names: Sequence[str], inputs: BaselineInputs, readouts: Sequence[str], progress: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score rows and prediction rows of the named baselines, in their order.

    Args:
        progress: show a bar on standard error.

    Raises:
        ConfigError: a name that `BASELINES` does not hold.
    """
    from tqdm import tqdm

    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise ConfigError(f"unknown baseline {unknown[0]!r}", f"one of {', '.join(BASELINES)}")
    scores: list[pd.DataFrame] = []
    predictions: list[pd.DataFrame] = []
    bar = tqdm(names, disable=not progress, mininterval=1, unit="baseline")
    for name in bar:
        bar.set_postfix_str(name)
        for arm in cast(Arms, import_module(BASELINES[name]).arms)(inputs):
            rows, codes = _score(arm, inputs, readouts)
            scores.append(rows)
            predictions.append(codes)
    if not scores:
        raise DataError("no baseline made an arm", "one baseline, and a corpus for PCA on a corpus")
    return (
        pd.concat(scores, ignore_index=True),
        pd.concat([frame for frame in predictions if len(frame)], ignore_index=True),
    )


def _score(
    arm: Arm, inputs: BaselineInputs, readouts: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    named = {"method": arm.method, "corpus": arm.corpus, "init": arm.init, "seed": arm.seed}
    keys = {**inputs.keys, **named, "mode": "baseline"}
    if isinstance(arm, Embedded):
        keys["protocol"] = arm.protocol or keys["protocol"]
        return evaluate_frozen(arm.pool_PD, arm.test_ND, inputs.truth, readouts, keys)
    scores = Scores(keys, inputs.truth)
    for regime, draw, cells in inputs.truth.each_draw():
        codes, proba, n_train = arm.predict(regime, draw, cells)
        run: dict[str, Any] = {"regime": regime, "draw": draw, "readout": "none"}
        scores.add(codes, proba, n_labels=len(cells), n_train=n_train, **run)
    return scores.frames()
