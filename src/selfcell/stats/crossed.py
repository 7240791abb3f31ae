"""The mean of a seeds x draws matrix, with an interval that holds for new seeds and new draws.

Shape suffixes: S pre-training seeds, D label draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Part:
    """A part of the variance of a mean, with its degrees of freedom (inf: taken as known)."""

    name: str
    variance: float
    df: float


@dataclass(frozen=True)
class Estimate:
    """A mean with the parts of its variance.

    Attributes:
        mean: the estimate.
        parts: independent parts of its variance; none means the variance is unknown.
        n_seeds, n_draws: size of the matrix behind it.
        note: what the interval does not cover; "" if nothing.
    """

    mean: float
    parts: tuple[Part, ...]
    n_seeds: int
    n_draws: int
    note: str = ""

    @property
    def variance(self) -> float:
        """Sum of the parts; NaN if there is none."""
        return sum(part.variance for part in self.parts) if self.parts else math.nan

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom of the sum of the parts."""
        spread = sum(part.variance**2 / part.df for part in self.parts)
        return self.variance**2 / spread if spread > 0 else math.inf

    @property
    def se(self) -> float:
        """Standard error."""
        return math.sqrt(self.variance)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided t interval; NaN if the variance is unknown."""
        half = float(stats.t.ppf(0.5 + level / 2, self.df)) * self.se
        return self.mean - half, self.mean + half

    def p(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the mean is `null`."""
        if self.variance == 0:
            return 1.0 if self.mean == null else 0.0
        return float(2 * stats.t.sf(abs(self.mean - null) / self.se, self.df))

    def with_part(self, name: str, variance: float, df: float = math.inf) -> Estimate:
        """The same estimate with one more independent part of variance."""
        return replace(self, parts=(*self.parts, Part(name, variance, df)))


def crossed(value_SD: np.ndarray) -> Estimate:
    """Mean of a matrix whose rows are seeds and whose columns are draws, both random.

    Variance of the mean = (MS_seed + MS_draw - MS_interaction) / (S D), each mean square with
    ddof 1. A component estimated below zero is set to zero, so the sum never falls under
    MS_interaction / (S D), and a factor whose mean square is below the interaction's leaves the
    formula. Degrees of freedom: Satterthwaite's, never below min(S, D) - 1, which is what the
    scarcest factor alone would give. Simulated coverage of the 95 % interval at 3 x 10, 3 x 3 and
    5 x 20 is .93-.98; at 3 x 2 it is .929 where draws differ most. It is up to .999 where neither
    factor matters (3 x 2).

    With one row or one column the other factor's variance alone is used and the note says what
    the interval is conditional on; with one entry the variance is unknown.

    Raises ValueError if the matrix is empty or holds a value that is not finite.
    Source: Satterthwaite (1946) Biometrics Bulletin 2:110; two-way random model without
    replication, as in Searle, Casella & McCulloch (1992) ch. 4. Differs: the floor on df.
    """
    value_SD = np.asarray(value_SD, dtype=float)
    if value_SD.ndim != 2 or value_SD.size == 0 or not np.isfinite(value_SD).all():
        raise ValueError(f"a finite seeds x draws matrix is needed, got shape {value_SD.shape}")
    n_seeds, n_draws = value_SD.shape
    part, note = _runs_part(value_SD)
    return Estimate(float(value_SD.mean()), part, n_seeds, n_draws, note)


def _runs_part(value_SD: np.ndarray) -> tuple[tuple[Part, ...], str]:
    n_seeds, n_draws = value_SD.shape
    if n_seeds == 1 and n_draws == 1:
        return (), "conditional on one run"
    if n_seeds == 1 or n_draws == 1:
        n = max(n_seeds, n_draws)
        variance = float(value_SD.var(ddof=1)) / n
        fixed = "seed" if n_seeds == 1 else "draw"
        return (Part("runs", variance, n - 1),), f"conditional on one {fixed}"
    row_S, column_D = value_SD.mean(1), value_SD.mean(0)
    residual_SD = value_SD - row_S[:, None] - column_D[None, :] + value_SD.mean()
    df_rest = (n_seeds - 1) * (n_draws - 1)
    ms_rest = float((residual_SD**2).sum()) / df_rest
    terms = [(ms_rest, df_rest, 1.0)]
    for mean_square, df in (
        (n_draws * float(row_S.var(ddof=1)), n_seeds - 1),
        (n_seeds * float(column_D.var(ddof=1)), n_draws - 1),
    ):
        if mean_square > ms_rest:
            terms.append((mean_square, df, 1.0))
            terms[0] = (ms_rest, df_rest, terms[0][2] - 1.0)
    total = sum(sign * square for square, _, sign in terms)
    spread = sum((sign * square) ** 2 / df for square, df, sign in terms)
    df = max(total**2 / spread, min(n_seeds, n_draws) - 1) if spread > 0 else df_rest
    return (Part("runs", total / value_SD.size, df),), ""
