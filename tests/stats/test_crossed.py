"""The crossed interval: hand-computed, degenerate, and covering what it says it covers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from selfcell.stats.crossed import Estimate, Part, crossed
from selfcell.stats.equivalence import MARGIN, tost

SHAPES = [(3, 10), (3, 3), (3, 2), (5, 20), (5, 4)]
# Two draws that differ much: .929 in 40,000 simulations, and so said in `crossed`.
SHORT = {(3, 2): 0.92}
# Standard deviations of seeds, draws and the rest.
SPREADS = [(1, 1, 1), (2, 0.2, 0.2), (0.2, 2, 0.2), (0, 1, 1), (1, 0, 1), (0, 0, 1), (1, 1, 0.1)]


def test_hand_computed() -> None:
    # Rows 0, 6; columns -1, 0, 4; residuals +-e: MS_seed 54, MS_draw 14, MS_rest .02.
    e = 0.1
    value = np.array([[-1 + e, 0 - e, 4], [5 - e, 6 + e, 10]])
    result = crossed(value)
    ms_seed, ms_draw = 3 * 18.0, 2 * 7.0
    ms_rest = (4 * e**2) / 2
    assert result.mean == pytest.approx(4.0)
    assert result.variance == pytest.approx((ms_seed + ms_draw - ms_rest) / 6)
    spread = ms_seed**2 / 1 + ms_draw**2 / 2 + ms_rest**2 / 2
    assert result.df == pytest.approx((ms_seed + ms_draw - ms_rest) ** 2 / spread)


def test_components_below_zero_count_as_zero() -> None:
    # A pure interaction: row and column means are equal, so only MS_rest is left.
    value = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert crossed(value).variance == pytest.approx(4.0 / 1 / 4)
    rng = np.random.default_rng(0)
    for _ in range(200):
        value = rng.normal(size=(3, 4))
        residual = value - value.mean(1)[:, None] - value.mean(0)[None] + value.mean()
        assert crossed(value).variance >= (residual**2).sum() / 6 / 12 - 1e-12
        assert crossed(value).df >= 2


def test_one_seed_or_one_draw() -> None:
    row = np.array([[1.0, 2.0, 4.0]])
    for value, note in ((row, "conditional on one seed"), (row.T, "conditional on one draw")):
        result = crossed(value)
        assert result.variance == pytest.approx(np.var([1, 2, 4], ddof=1) / 3)
        assert (result.df, result.note) == (2, note)
    single = crossed(np.array([[0.3]]))
    assert math.isnan(single.variance) and math.isnan(single.interval()[0])
    assert single.note == "conditional on one run"
    assert single.with_part("cells", 0.01).interval()[0] == pytest.approx(
        0.3 - 1.96 * 0.1, abs=1e-3
    )


def test_equal_values_have_no_variance() -> None:
    result = crossed(np.full((3, 4), 0.25))
    assert result.interval() == (0.25, 0.25)
    assert result.p() == 0.0 and result.p(0.25) == 1.0


@pytest.mark.parametrize("value", [np.empty((0, 3)), np.array([[1.0, np.nan]]), np.ones(3)])
def test_what_is_no_matrix_is_refused(value: np.ndarray) -> None:
    with pytest.raises(ValueError, match="seeds x draws"):
        crossed(value)


def test_parts_add_up() -> None:
    result = Estimate(0.1, (Part("runs", 0.02, 4.0),), 3, 3).with_part("cells", 0.01)
    assert result.variance == pytest.approx(0.03)
    assert result.df == pytest.approx(0.03**2 / (0.02**2 / 4))
    low, high = result.interval()
    assert (low + high) / 2 == pytest.approx(0.1)
    assert result.p() == pytest.approx(0.59, abs=0.02)


def coverage(shape: tuple[int, int], spread: tuple[float, float, float], n: int) -> float:
    rng = np.random.default_rng(7)
    seeds, draws, rest = spread
    hits = 0
    for _ in range(n):
        value = seeds * rng.normal(size=(shape[0], 1)) + draws * rng.normal(size=(1, shape[1]))
        low, high = crossed(value + rest * rng.normal(size=shape)).interval()
        hits += low <= 0 <= high
    return hits / n


@pytest.mark.parametrize("shape", SHAPES)
def test_coverage_quick(shape: tuple[int, int]) -> None:
    assert 0.92 <= coverage(shape, (1, 1, 1), 600) <= 0.998


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_coverage(shape: tuple[int, int]) -> None:
    print(f"\n{shape[0]} seeds x {shape[1]} draws: coverage of the 95 % interval")
    for spread in SPREADS:
        share = coverage(shape, spread, 6000)
        print(f"  sd of seeds {spread[0]}, draws {spread[1]}, rest {spread[2]}: {share:.3f}")
        # where neither factor matters the interval is wider than it need be, never narrower
        assert SHORT.get(shape, 0.93) <= share <= (0.999 if spread[:2] == (0, 0) else 0.995)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [0.005, 0.01, 0.03])
def test_equivalence_is_seldom_said_at_the_margin(shape: tuple[int, int], scale: float) -> None:
    rng, said = np.random.default_rng(11), 0
    for _ in range(2000):
        value = rng.normal(size=(shape[0], 1)) + rng.normal(size=(1, shape[1]))
        value = MARGIN + scale * (value + rng.normal(size=shape))
        said += tost(crossed(value)) < 0.05
    # 5 % is meant; Satterthwaite degrees of freedom give up to 6.2 % at 3 x 10
    assert said / 2000 <= 0.07
