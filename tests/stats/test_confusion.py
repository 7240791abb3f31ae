"""Confusion matrices and their difference, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from selfcell.errors import DataError
from selfcell.stats.confusion import NONE, difference, matrices
from selfcell.stats.predictions import Truth

TRUTH = {"t": Truth("t", ["a", "b", "c"], np.array([0, 0, 0, 1]), np.array(["x"] * 4), [1, 1, 1])}


def predictions(**by_method: list[list[int]]) -> pd.DataFrame:
    """One row a run; `by_method` holds each method's predicted codes."""
    arm = {"target": "t", "corpus": "c", "init": "pretrained", "mode": "frozen"}
    rows = [
        {**arm, "method": method, "readout": "probe", "regime": "10", "seed": seed,
         "predicted": np.array(codes, np.int16)}
        for method, runs in by_method.items()
        for seed, codes in enumerate(runs)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def share(found: pd.DataFrame, true: str, predicted: str) -> float:
    own = found[(found.true == true) & (found.predicted == predicted)]
    return float(own.share.item())


def test_shares_by_hand() -> None:
    """Two runs: of three a's 2 and 1 are right, 1 and 1 called c, none and one nothing."""
    found = matrices(predictions(x=[[0, 0, 2, 1], [0, 2, -1, 0]]), TRUTH)
    assert share(found, "a", "a") == pytest.approx((2 + 1) / 6)
    assert share(found, "a", "c") == pytest.approx((1 + 1) / 6)
    assert share(found, "a", NONE) == pytest.approx(1 / 6)
    assert share(found, "b", "b") == share(found, "b", "a") == 0.5
    assert set(found.true) == {"a", "b"}  # no cell is a c
    assert set(found.n_true[found.true == "a"]) == {3} and set(found.n_runs) == {2}
    assert found.groupby("true").share.sum().tolist() == pytest.approx([1.0, 1.0])


def test_difference_by_hand() -> None:
    found = matrices(predictions(x=[[0, 0, 0, 1]], y=[[0, 1, 1, 1]]), TRUTH)
    less = difference(found, {"method": "x"}, {"method": "y"})
    assert share(less, "a", "a") == pytest.approx(2 / 3)
    assert share(less, "a", "b") == pytest.approx(-2 / 3)
    assert share(less, "b", "b") == 0.0
    for wrong in ({"method": "z"}, {"mode": "frozen"}):
        with pytest.raises(DataError, match="arms; needed: one arm"):
            difference(found, wrong, {"method": "y"})


def test_no_prediction_no_row_and_no_truth_no_matrix() -> None:
    made = predictions(x=[[0, 0, 0, 1]])
    assert matrices(made.iloc[:0], TRUTH).empty
    with pytest.raises(DataError, match="'t' have no split"):
        matrices(made, {})
