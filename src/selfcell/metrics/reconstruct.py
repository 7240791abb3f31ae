"""How well expression is predicted: explained variance and squared error over a whole data set.

All values come from sums over every cell, kept by gene, that can be filled in chunks of any size.
The released code averaged the values of batches, which for a ratio is another number; it stands
beside ours under names of its own, a chunk being a batch.

Shape suffixes: N cells of a chunk, G genes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from selfcell.errors import DataError

METRICS = {"ev_weighted": True, "ev_uniform": True, "mse": False}
"""Overall metrics, and whether higher is better."""
BATCHED = {"ev_weighted_batches": True, "ev_uniform_batches": True}
"""Those of the released code, likewise: means of the values of batches."""


@dataclass(frozen=True)
class Sums:
    """What the metrics need of any number of cells; float64, by gene.

    Attributes:
        n: cells.
        mean_G, square_G: of the truth: mean, and sum of squared deviations from it.
        error_G, spread_G: of the error (truth - prediction): the same two.
        batches: of each chunk in which a gene varies, the released code's two values.
    """

    n: int
    mean_G: np.ndarray
    square_G: np.ndarray
    error_G: np.ndarray
    spread_G: np.ndarray
    batches: tuple[tuple[float, float], ...] = field(default=(), kw_only=True)

    @classmethod
    def none(cls, genes: int) -> Sums:
        """Of no cell."""
        return cls(0, *(np.zeros(genes) for _ in range(4)))

    @classmethod
    def of(cls, truth_NG: np.ndarray, predicted_NG: np.ndarray) -> Sums:
        """Of one chunk. Raises DataError where the shapes differ."""
        if truth_NG.shape != predicted_NG.shape:
            raise DataError(f"predictions are {predicted_NG.shape}", f"{truth_NG.shape}")
        truth_NG = np.asarray(truth_NG, dtype=np.float64)
        error_NG = truth_NG - predicted_NG
        parts = [part for x_NG in (truth_NG, error_NG) for part in _moments(x_NG)]
        sums = cls(len(truth_NG), *parts)
        return replace(sums, batches=(sums._as_batch(),)) if sums.square_G.any() else sums

    def __add__(self, other: Sums) -> Sums:
        """Of the cells of both.

        Source: Chan, Golub & LeVeque 1983, eq. 2.1 (updating sums of squares pairwise).
        Differs from the paper: nothing.
        """
        n = self.n + other.n
        if not self.n or not other.n:
            return other if not self.n else self
        pairs = (
            (self.mean_G, self.square_G, other.mean_G, other.square_G),
            (self.error_G, self.spread_G, other.error_G, other.spread_G),
        )
        parts = []
        for mean_G, square_G, mean_other_G, square_other_G in pairs:
            step_G = mean_other_G - mean_G
            parts.append(mean_G + step_G * (other.n / n))
            parts.append(square_G + square_other_G + step_G**2 * (self.n * other.n / n))
        return Sums(n, *parts, batches=self.batches + other.batches)

    def values(self) -> dict[str, float]:
        """The overall metrics.

        `ev_weighted`: 1 - sum of the errors' variances / sum of the genes' variances, so that a
        gene weighs by its variance. `ev_uniform`: mean over the genes that vary of 1 - variance
        of the error / variance. Both are 1 at best, 0 for any constant, and have no lower bound;
        a constant shift of a gene costs nothing. `mse`: mean squared error of log1p expression
        over all entries, shifts included.

        Source: Richter et al. 2024 (explained variance, weighted and uniform).
        Differs from the paper: sums over all cells instead of means of batch values; genes that
        do not vary are left out of the uniform mean.

        Raises DataError where no gene varies.
        """
        varies_G = self.square_G > 0
        if not varies_G.any():
            raise DataError("no gene varies over the test cells", "one at least")
        mse = (self.spread_G + self.n * self.error_G**2).sum() / (self.n * len(self.square_G))
        return {
            "ev_weighted": float(1.0 - self.spread_G.sum() / self.square_G.sum()),
            "ev_uniform": float(self.explained_G[varies_G].mean()),
            "mse": float(mse),
        }

    def batch_values(self) -> dict[str, float]:
        """`BATCHED`: means over the chunks, each weighing the same; empty where there is none.

        In a chunk, a gene that does not vary counts 0 in the uniform mean (1 if the error does not
        vary either) and nothing in the weighted one, as in torchmetrics.

        Source: Richter et al. 2024 (released code).
        Differs from the paper: chunks in which no gene varies, of one cell say, are left out.
        """
        if not self.batches:
            return {}
        return dict(zip(BATCHED, np.mean(self.batches, axis=0).tolist(), strict=True))

    def _as_batch(self) -> tuple[float, float]:
        flat_G = self.spread_G < 1e-12 * self.n  # a constant's variance is 0 but for rounding
        value_G = np.where(self.square_G > 0, self.explained_G, flat_G)
        return float(np.average(value_G, weights=self.square_G)), float(value_G.mean())

    @property
    def explained_G(self) -> np.ndarray:
        """Explained variance of each gene; NaN where the gene does not vary."""
        whole_G = np.where(self.square_G > 0, self.square_G, np.nan)
        return np.asarray(1.0 - self.spread_G / whole_G)

    @property
    def mse_G(self) -> np.ndarray:
        """Mean squared error of each gene."""
        return np.asarray(self.spread_G / self.n + self.error_G**2)

    @property
    def variance_G(self) -> np.ndarray:
        """Variance (1/n) of each gene over the cells."""
        return np.asarray(self.square_G / self.n)


def _moments(x_NG: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean_G = x_NG.mean(0)
    return mean_G, np.square(x_NG - mean_G).sum(0)


def shared(copied: Sums, opposite: Sums) -> Sums:
    """The most that any predictor can explain, in expectation: the halves' covariance over the
    variance of the scored half.

    Given a cell's expression the halves are independent and alike, so their covariance over cells
    is the variance of what the cell determines; the rest of the scored half is noise.

    Source: classical test theory, split-half reliability (Spearman 1910, Brown 1910), by gene.
    Differs from it: a covariance in place of a correlation, so that genes weigh by variance.

    Args:
        copied: sums of the seen half as prediction. opposite: sums of its negative. Their errors
            are the halves' difference and sum, whose variances differ by four covariances.

    Returns:
        The sums of a predictor that leaves exactly that noise.
    """
    covariance_G = (opposite.spread_G - copied.spread_G) / 4
    rest_G = copied.square_G - covariance_G
    return Sums(copied.n, copied.mean_G, copied.square_G, np.zeros_like(rest_G), rest_G)
