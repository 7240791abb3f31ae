"""Verdicts, equivalence tests, detectable effects and adjusted p-values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from selfcell.stats.crossed import Estimate, Part
from selfcell.stats.equivalence import detectable, tost, verdict
from selfcell.stats.multiplicity import adjust


def made(mean: float, se: float, df: float = 9.0) -> Estimate:
    return Estimate(mean, (Part("runs", se**2, df),), 3, 10)


@pytest.mark.parametrize("mean", [-0.03, -0.012, 0.0, 0.004, 0.019])
@pytest.mark.parametrize("se", [0.003, 0.008, 0.02])
def test_tost_is_the_90_percent_interval_inside_the_margin(mean: float, se: float) -> None:
    low, high = made(mean, se).interval(0.90)
    assert (tost(made(mean, se)) < 0.05) == (low > -0.02 and high < 0.02)


def test_verdicts() -> None:
    assert verdict(made(0.05, 0.01), 0.001) == "better"
    assert verdict(made(-0.05, 0.01), 0.001) == "worse"
    assert verdict(made(0.05, 0.01), 0.06) == "undecided"
    assert verdict(made(0.0, 0.005), 0.9) == "equivalent"
    # significant and yet too small to matter
    assert verdict(made(0.008, 0.002), 0.001) == "equivalent"
    assert verdict(Estimate(0.3, (), 1, 1), math.nan) == "undecided"


def test_detectable_effect_has_its_power() -> None:
    effect = detectable(made(0.0, 0.01))
    critical = stats.t.ppf(0.975, 9)
    power = stats.nct.sf(critical, 9, effect / 0.01)
    assert power == pytest.approx(0.8, abs=0.02)


def test_adjusted_by_hand() -> None:
    p = np.array([0.01, np.nan, 0.04, 0.03])
    np.testing.assert_allclose(adjust(p, "primary"), [0.03, np.nan, 0.06, 0.06])
    np.testing.assert_allclose(adjust(p, "secondary"), [0.03, np.nan, 0.04, 0.04])
    assert np.isnan(adjust(np.array([np.nan]), "primary")).all()


def test_equivalence_is_tested_at_five_percent() -> None:
    borderline = made(0.012, 0.005)
    assert 0.05 < tost(borderline) < 0.10
    assert verdict(borderline, 0.9) == "undecided"
