"""Means with crossed intervals, for figures that show arms rather than contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from selfcell.stats.roles import PART

Roles = Mapping[tuple[str, str], str]
REGIMES = ("3", "10", "30", "all")
ARM = ["target", "corpus", "method", "init", "mode", "readout", "regime"]


def roles(contrasts: Path) -> Roles:
    """What each corpus is to each target, from the contrast table."""
    from selfcell.stats.contrasts import CONTRASTS

    rows = CONTRASTS.read(contrasts).drop_duplicates(["target", "corpus"])
    return {(row.target, row.corpus): row.role for row in rows.itertuples()}


def with_roles(frame: pd.DataFrame, known: Roles) -> pd.DataFrame:
    """Column `role` by target and corpus; one that no contrast names is the study's own. Parts of
    corpora, which figure "sweeps" draws, are left out."""
    pairs = zip(frame.target, frame.corpus, strict=True)
    frame = frame.assign(role=[known.get(pair, "study") for pair in pairs])
    return frame[frame.role != PART]


def arm_summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean, 95 % interval and counts of each arm and regime.

    Only runs with status "ok" enter the mean; the others are counted in `n_failed`, and an arm
    without any run that is ok has no row's mean. The interval is `stats.crossed` over seeds and
    draws with the test cells held fixed; NaN for a single run.
    """
    from selfcell.stats.crossed import crossed
    from selfcell.stats.paired import complete

    rows = []
    for key, own in scores.groupby(ARM, sort=True):
        ok = own.assign(value=own.value.where(own.status == "ok"))
        value_SD = ok.pivot_table("value", "seed", "draw", dropna=False).to_numpy(float)
        kept, columns = complete(value_SD)
        row = dict(zip(ARM, key, strict=True)) | {
            "n_failed": int((own.status != "ok").sum()),
            "n_test": int(own.n_test.max()),
            "n_seeds": len(kept),
            "n_draws": len(columns),
        }
        if kept:
            result = crossed(value_SD[kept][:, columns])
            low, high = result.interval()
            row |= {"mean": result.mean, "low": low, "high": high}
        rows.append(row)
    columns_all = [*ARM, "mean", "low", "high", "n_seeds", "n_draws", "n_failed", "n_test"]
    return pd.DataFrame(rows, columns=columns_all)
