"""The paired difference of two sides, and the better of several arms picked without peeking.

Shape suffixes: S seeds, D draws, B resamples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from selfcell.stats.arms import Arm, Bench, Run, Side
from selfcell.stats.bootstrap import DONORS_NEEDED
from selfcell.stats.crossed import Estimate, crossed

ORDER = {"3": 0, "10": 1, "30": 2, "all": 10**9}


@dataclass(frozen=True)
class Paired:
    """Runs of two sides matched one to one.

    Attributes:
        difference_SD: mean over the regimes of side a minus side b; complete.
        weight: the coefficient of each run in the mean of `difference_SD`.
        regimes: regimes averaged over.
        failed: runs left out, by status.
        single: regimes with one common draw, which stands for all draws.
    """

    difference_SD: np.ndarray
    weight: dict[Run, float]
    regimes: tuple[str, ...]
    failed: Counter[str]
    single: tuple[str, ...]


def sort_regimes(regimes: set[str]) -> list[str]:
    """Regimes from few labels to many."""
    return sorted(regimes, key=lambda name: ORDER.get(name, int(name) if name.isdigit() else 0))


def common_regimes(bench: Bench, arms: Sequence[Arm]) -> list[str]:
    """Regimes in which every arm has runs."""
    return sort_regimes(set.intersection(*(bench.regimes(arm) for arm in arms)))


def common_seeds(bench: Bench, arms: Sequence[Arm]) -> list[int]:
    """Seeds that every arm with seeds has; [0] if no arm depends on a seed."""
    seeded = [seeds for seeds in (bench.seeds(arm) for arm in arms) if seeds != {0}]
    return sorted(set.intersection(*seeded)) if seeded else [0]


def pair(bench: Bench, a: Side, b: Side, regimes: Sequence[str] | None = None) -> Paired | None:
    """Match the runs of two sides; None if they share no regime, seed or complete draw.

    Each regime weighs the same. Draws are those common to all regimes that have several; a
    regime with one draw stands for all. Runs that failed leave their seed or draw, whichever
    lost the larger share, until the matrix is complete.
    """
    arms = (*a.arms, *b.arms)
    shared = common_regimes(bench, arms)
    shared = [regime for regime in shared if regimes is None or regime in regimes]
    draws_of = {r: set.intersection(*(bench.draws(arm, r) for arm in arms)) for r in shared}
    shared = [regime for regime in shared if draws_of[regime]]
    seeds = common_seeds(bench, arms)
    if not shared or not seeds:
        return None
    several = [draws for draws in draws_of.values() if len(draws) > 1]
    draws = sorted(set.intersection(*several) if several else draws_of[shared[0]])
    single = tuple(r for r in shared if len(draws_of[r]) == 1)

    def draw_in(regime: str, draw: int) -> int:
        return min(draws_of[regime]) if regime in single else draw

    def runs(side: Side, seed: int, draw: int) -> list[Run]:
        return [
            bench.run(arm, regime, seed, draw_in(regime, draw))
            for regime in shared
            for arm in side.at(draw)
        ]

    def difference(seed: int, draw: int) -> float:
        return _mean(bench, runs(a, seed, draw)) - _mean(bench, runs(b, seed, draw))

    value_SD = np.array([[difference(seed, draw) for draw in draws] for seed in seeds])
    if value_SD.size == 0:
        return None
    rows, columns = complete(value_SD)
    weight: dict[Run, float] = {}
    for seed in (seeds[row] for row in rows):
        for draw in (draws[column] for column in columns):
            for side, sign in ((a, 1.0), (b, -1.0)):
                chosen = runs(side, seed, draw)
                for run in chosen:
                    share = sign / (len(chosen) * len(rows) * len(columns))
                    weight[run] = weight.get(run, 0.0) + share
    failed = sum((bench.failed.get((arm, r), Counter()) for arm in arms for r in shared), Counter())
    kept_SD = value_SD[np.ix_(rows, columns)]
    return Paired(kept_SD, weight, tuple(shared), failed, single)


def _mean(bench: Bench, runs: Sequence[Run]) -> float:
    return float(np.mean([bench.value.get(run, math.nan) for run in runs]))


def complete(value_SD: np.ndarray) -> tuple[list[int], list[int]]:
    """Rows and columns of a largest-looking block without NaN, dropping the worst line first."""
    rows, columns = list(range(value_SD.shape[0])), list(range(value_SD.shape[1]))
    while rows and columns:
        gap = np.isnan(value_SD[np.ix_(rows, columns)])
        if not gap.any():
            return rows, columns
        row_share, column_share = gap.mean(1), gap.mean(0)
        if row_share.max() >= column_share.max():
            rows.pop(int(row_share.argmax()))
        else:
            columns.pop(int(column_share.argmax()))
    return [], []


def by_seed_and_draw(rows: pd.DataFrame) -> np.ndarray:
    """(S, D) differences averaged over their regimes, each with the same weight; complete.

    As `pair` does: draws are those common to all regimes that have several, a regime with one
    draw stands for all, and seeds or draws with a failed run are left out. Empty if none is left.

    Args:
        rows: one a run; columns regime, seed, draw and difference (NaN where a run failed).
    """
    if rows.empty:
        return np.empty((0, 0))
    draws = rows.groupby("regime")["draw"].agg(set)
    several = [found for found in draws if len(found) > 1]
    common = sorted(set.intersection(*several)) if several else [0]
    layers = []
    for regime, own in rows.groupby("regime"):
        wide = own.pivot(index="seed", columns="draw", values="difference")
        wide = wide.iloc[:, [0] * len(common)] if len(draws[regime]) == 1 else wide[common]
        layers.append(wide.reindex(sorted(set(rows["seed"]))).to_numpy(float))
    value_SD = np.mean(layers, axis=0)
    return value_SD[np.ix_(*complete(value_SD))]


def estimate(bench: Bench, paired: Paired, controls: Sequence[Estimate] = ()) -> Estimate:
    """Mean difference with every part of its variance.

    Parts: "runs" (seeds and draws crossed), "cells" (paired resampling of the test cells, or of
    donors where there are enough; only where there are predictions) and, where side b is a mean
    of controls, "controls": the variance of the controls' own differences over their number.
    """
    result = crossed(paired.difference_SD)
    if bench.predicted:
        bench.resample(list(paired.weight))
        resampled_B = sum(weight * bench.resampled(run) for run, weight in paired.weight.items())
        result = result.with_part("cells", float(np.var(resampled_B, ddof=1)))
    if len(controls) > 1:
        spread = float(np.var([control.mean for control in controls], ddof=1)) / len(controls)
        result = result.with_part("controls", spread, len(controls) - 1)
    return result


def pick(bench: Bench, name: str, arms: Sequence[Arm], regimes: Sequence[str]) -> Side:
    """The best of several arms without peeking: even draws choose for odd ones and reverse.

    An arm's merit is its mean over `regimes`, its seeds and the draws of one parity. Where a
    parity has no draw the other one chooses for itself, which favours the pick. The test cells
    are the same in both halves, so the choice is blind to the labels drawn, not to the cells.
    """
    chosen = {}
    for parity in (0, 1):
        judged = {arm: _merit(bench, arm, regimes, 1 - parity) for arm in arms}
        if all(math.isnan(merit) for merit in judged.values()):
            judged = {arm: _merit(bench, arm, regimes, parity) for arm in arms}
        best = max(arms, key=lambda arm: (np.nan_to_num(judged[arm], nan=-1.0), arm))
        chosen[parity] = (best,)
    return Side(name, chosen[0], chosen[1])


def _merit(bench: Bench, arm: Arm, regimes: Sequence[str], parity: int) -> float:
    means = []
    for regime in regimes:
        draws = bench.draws(arm, regime)
        kept = draws if len(draws) == 1 else {draw for draw in draws if draw % 2 == parity}
        values = [
            value
            for seed in bench.seeds(arm)
            for draw in kept
            if np.isfinite(value := bench.value.get((arm, regime, seed, draw), math.nan))
        ]
        means.append(float(np.mean(values)) if values else math.nan)
    return float(np.mean(means)) if means else math.nan


def conditions(bench: Bench, paired: Paired, result: Estimate, sides: Sequence[Side]) -> str:
    """What the interval does not cover, in words for the table."""
    notes = []
    n_donors = len(bench.truth.donors)
    if not bench.predicted:
        notes.append("conditional on these test cells")
    elif n_donors < DONORS_NEEDED:
        known = {0: "unknown donors", 1: "one donor"}.get(n_donors, f"{n_donors} donors")
        notes.append(f"conditional on {known}")
    if bench.truth.shared:
        notes.append(f"shared by design: {', '.join(bench.truth.shared)}")
    has_seeds = any(bench.seeds(arm) != {0} for side in sides for arm in side.arms)
    if result.note and (has_seeds or result.note != "conditional on one seed"):
        notes.append(result.note)
    if paired.single and len(paired.single) < len(paired.regimes):
        notes.append(f"one draw at regime {', '.join(paired.single)}")
    if paired.failed:
        counts = ", ".join(f"{n} {status}" for status, n in sorted(paired.failed.items()))
        notes.append(f"left out: {counts}")
    for side in sides:
        if side.even != side.odd:
            notes.append(f"picked: {side.even[0]} at even draws, {side.odd[0]} at odd draws")
        elif len(side.arms) == 1 and side.name != str(side.arms[0]):
            notes.append(f"picked: {side.arms[0]}")
    return "; ".join(notes)
