"""Arms of a study and their runs, paired over label regimes, pre-training seeds and label draws.

Shape suffixes: S seeds, D draws, N test cells, B resamples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from selfcell.errors import DataError
from selfcell.keys import generator
from selfcell.stats.bootstrap import macro_f1, resample
from selfcell.stats.predictions import Truth

Run = tuple["Arm", str, int, int]
TOLERANCE = 1e-6


@dataclass(frozen=True, order=True)
class Arm:
    """One way to get predictions, apart from regime, seed and draw."""

    method: str
    corpus: str
    mode: str
    readout: str
    init: str

    def __str__(self) -> str:
        parts = [self.method, self.corpus, self.mode, self.readout]
        return "/".join(part for part in parts if part not in ("none", "baseline"))


@dataclass(frozen=True)
class Side:
    """One side of a contrast: an arm, the mean of several, or the better of several per draw.

    Attributes:
        name: shown in tables.
        even, odd: arms averaged at even and at odd draws; they differ only where the arm was
            picked, each half of the draws by what the other half showed.
        averages: the arms are a sample of controls whose spread counts as uncertainty.
    """

    name: str
    even: tuple[Arm, ...]
    odd: tuple[Arm, ...]
    averages: bool = False

    def at(self, draw: int) -> tuple[Arm, ...]:
        """Arms that stand for this side at a draw."""
        return self.odd if draw % 2 else self.even

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm that may be used."""
        return tuple(sorted({*self.even, *self.odd}))


def one(arm: Arm) -> Side:
    """A single arm as a side."""
    return Side(str(arm), (arm,), (arm,))


def mean_of(name: str, arms: Sequence[Arm]) -> Side:
    """The mean of several control arms as a side."""
    return Side(name, tuple(arms), tuple(arms), averages=len(arms) > 1)


@dataclass
class Bench:
    """All runs of one target: scores, predictions and resampled scores.

    Attributes:
        truth: of the target's test cells.
        value: of the metric by run; NaN where a run did not end "ok".
        failed: runs by arm and regime that did not end "ok", with their status.
        predicted: class codes of the test cells by run.
        weight_NB: shared resampling weights, the same for every arm: resamples are paired.
        metric: what the values are; only macro-F1 has predictions to resample.
    """

    truth: Truth
    value: Mapping[Run, float]
    failed: Mapping[tuple[Arm, str], Counter[str]]
    predicted: Mapping[Run, np.ndarray]
    weight_NB: np.ndarray
    metric: str = "macro_f1"
    _grid: dict[tuple[Arm, str], list[tuple[int, int]]] = field(default_factory=dict)
    _resampled: dict[Run, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for arm, regime, seed, draw in sorted(self.value):
            self._grid.setdefault((arm, regime), []).append((seed, draw))

    @property
    def arms(self) -> list[Arm]:
        """Every arm with a run, sorted."""
        return sorted({arm for arm, _ in self._grid})

    def regimes(self, arm: Arm) -> set[str]:
        """Label regimes in which the arm has runs."""
        return {regime for other, regime in self._grid if other == arm}

    def seeds(self, arm: Arm) -> set[int]:
        """Seeds over all of the arm's regimes; {0} means the arm does not depend on a seed."""
        return {seed for (a, _), runs in self._grid.items() if a == arm for seed, _ in runs}

    def draws(self, arm: Arm, regime: str) -> set[int]:
        """Label draws of the arm in a regime."""
        return {draw for _, draw in self._grid.get((arm, regime), [])}

    def run(self, arm: Arm, regime: str, seed: int, draw: int) -> Run:
        """The run that stands for (seed, draw): an arm without seeds is its seed 0 for all."""
        return (arm, regime, 0 if self.seeds(arm) == {0} else seed, draw)

    def resampled(self, run: Run) -> np.ndarray:
        """(B,) macro-F1 of a run on the resamples."""
        if run not in self._resampled:
            self.resample([run])
        return self._resampled[run]

    def resample(self, runs: Sequence[Run]) -> None:
        """Compute many runs' resampled macro-F1 in one go."""
        new = [run for run in dict.fromkeys(runs) if run not in self._resampled]
        if not new:
            return
        codes_RN = np.stack([self.predicted[run] for run in new])
        f1_RB = macro_f1(codes_RN, self.truth.code_N, len(self.truth.classes), self.weight_NB)
        self._resampled.update(zip(new, f1_RB, strict=True))


def runs(scores: pd.DataFrame) -> tuple[dict[Run, float], dict[tuple[Arm, str], Counter[str]]]:
    """Values by run, NaN where it did not end "ok", and those runs counted by arm and regime."""
    value: dict[Run, float] = {}
    failed: dict[tuple[Arm, str], Counter[str]] = {}
    for row in scores.itertuples():
        arm = Arm(row.method, row.corpus, row.mode, row.readout, row.init)
        ok = row.status == "ok"
        value[(arm, row.regime, int(row.seed), int(row.draw))] = row.value if ok else np.nan
        if not ok:
            failed.setdefault((arm, row.regime), Counter())[row.status] += 1
    return value, failed


def build(
    scores: pd.DataFrame, predictions: pd.DataFrame, truth: Truth, resamples: int, seed: int
) -> Bench:
    """Build a target's bench from its rows of overall macro-F1 and of predictions.

    Raises DataError if a run with a score has no predictions, if predictions do not fit the
    split, or if they do not reproduce the score: tables of different studies were mixed.
    """
    value, failed = runs(scores)
    predicted = {
        (
            Arm(row.method, row.corpus, row.mode, row.readout, row.init),
            row.regime,
            int(row.seed),
            int(row.draw),
        ): np.asarray(row.predicted, dtype=np.int16)
        for row in predictions.itertuples()
    }
    weight_NB = resample(truth.donors_N, resamples, generator("resample", truth.target, seed))
    bench = Bench(truth, value, failed, predicted, weight_NB)
    _check_predictions(bench)
    return bench


def _check_predictions(bench: Bench) -> None:
    truth, scored = bench.truth, [run for run, v in bench.value.items() if np.isfinite(v)]
    for run in scored:
        codes = bench.predicted.get(run)
        where = f"target {truth.target}, {run[0]}, regime {run[1]}, seed {run[2]}, draw {run[3]}"
        if codes is None:
            raise DataError(f"{where}: no predictions", "predictions of every scored run")
        if len(codes) != len(truth.code_N):
            raise DataError(f"{where}: {len(codes)} predictions", f"{len(truth.code_N)} test cells")
    if not scored:
        return
    codes_RN = np.stack([bench.predicted[run] for run in scored])
    once_N1 = np.ones((len(truth.code_N), 1), dtype=np.float32)
    again_R = macro_f1(codes_RN, truth.code_N, len(truth.classes), once_N1)[:, 0]
    for run, again in zip(scored, again_R, strict=True):
        if abs(again - bench.value[run]) > TOLERANCE:
            raise DataError(
                f"target {truth.target}, {run[0]}, regime {run[1]}: score {bench.value[run]:.6f}, "
                f"but its predictions give {again:.6f}",
                "scores and predictions of the same runs",
                "delete the study's runs and run again",
            )
