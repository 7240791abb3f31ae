"""What a difference allows one to say: better, worse, equivalent or undecided."""

from __future__ import annotations

from scipy import stats

from selfcell.stats.crossed import Estimate

MARGIN = 0.02
VERDICTS = ("better", "worse", "equivalent", "undecided", "not run")


def tost(estimate: Estimate, margin: float = MARGIN) -> float:
    """p-value of the two one-sided tests that |mean| >= margin.

    Source: Schuirmann (1987) J. Pharmacokinet. Biopharm. 15:657. Differs: nothing.
    """
    if estimate.variance == 0:
        return 0.0 if abs(estimate.mean) < margin else 1.0
    nearest = (margin - abs(estimate.mean)) / estimate.se
    return float(stats.t.sf(nearest, estimate.df))


def detectable(estimate: Estimate, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest true difference that a two-sided test at `alpha` finds with this power."""
    quantiles = stats.t.ppf(1 - alpha / 2, estimate.df) + stats.t.ppf(power, estimate.df)
    return float(quantiles) * estimate.se


def verdict(estimate: Estimate, p_adjusted: float, margin: float = MARGIN) -> str:
    """The word for a difference.

    "equivalent" if the 90 % interval lies inside the margin, even where the difference is also
    significant: it is then too small to matter. Otherwise "better" or "worse" if the adjusted p
    is below .05, otherwise "undecided".
    """
    if tost(estimate, margin) < 0.05:
        return "equivalent"
    if p_adjusted < 0.05:
        return "better" if estimate.mean > 0 else "worse"
    return "undecided"
