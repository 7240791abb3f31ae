"""Confusion matrices of arms, and the difference of two, from per-cell predictions.

Shape suffixes: N test cells, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from selfcell.errors import DataError
from selfcell.metrics import classify
from selfcell.stats.predictions import Truth

ARM = ["target", "corpus", "method", "init", "mode", "readout", "regime"]
COLUMNS = [*ARM, "true", "predicted", "share", "n_true", "n_runs"]
NONE = "none of them"


def matrices(predictions: pd.DataFrame, truths: Mapping[str, Truth]) -> pd.DataFrame:
    """Columns `COLUMNS`: of the cells of a true type, the share predicted as each type.

    Means over an arm's seeds and draws; the shares of a true type sum to 1. `n_true` is its number
    of test cells. Only runs with predictions count, which are those that did not fail.

    Raises DataError for a target without a truth.
    """
    parts = []
    for key, own in predictions.groupby(ARM, sort=True):
        target = str(key[0])
        if target not in truths:
            raise DataError(f"predictions of {target!r} have no split", f"one of {list(truths)}")
        parts.append(_arm(own, truths[target]).assign(**dict(zip(ARM, key, strict=True))))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _arm(own: pd.DataFrame, truth: Truth) -> pd.DataFrame:
    classes = list(truth.classes)
    count_KK1 = sum(
        classify.confusion(truth.code_N, np.asarray(codes), len(classes)) for codes in own.predicted
    )
    true_K = np.bincount(truth.code_N, minlength=len(classes))
    share_KK1 = np.asarray(count_KK1) / np.maximum(true_K * len(own), 1)[:, None]
    wide = pd.DataFrame(share_KK1, columns=[*classes, NONE]).assign(true=classes, n_true=true_K)
    found = wide[wide.n_true > 0].melt(["true", "n_true"], var_name="predicted", value_name="share")
    return found.assign(n_runs=len(own))


def difference(found: pd.DataFrame, a: Mapping[str, str], b: Mapping[str, str]) -> pd.DataFrame:
    """Columns target, regime, true, predicted and share: arm a's shares less arm b's, where both
    ran; above 0 on the diagonal where a is the better.

    Args:
        found: of `matrices`. a, b: values of columns that single out an arm.

    Raises DataError where one of them fits no arm, or several.
    """
    on = ["target", "regime", "true", "predicted"]
    sides = []
    for wanted in (a, b):
        own = found[np.all([found[name] == value for name, value in wanted.items()], axis=0)]
        arms = own[ARM].drop(columns=["target", "regime"]).drop_duplicates()
        if len(arms) != 1:
            raise DataError(f"{dict(wanted)} fits {len(arms)} arms", "one arm")
        sides.append(own.set_index(on).share)
    return (sides[0] - sides[1]).dropna().rename("share").reset_index()
