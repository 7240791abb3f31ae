"""Ridge-logistic regression (multinomial, L2), fast from a few dozen to a few thousand cells.

The objective is scikit-learn's `LogisticRegression(class_weight="balanced")`, and a test holds
the two together. The solver is ours because the study makes tens of thousands of fits: L-BFGS in
coordinates in which the curvature is near 1 in every direction, warm-started along a path of
penalties from strong to weak.

Shape suffixes: N cells, D features, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from selfcell.errors import DataError
from selfcell.keys import generator

GRID = (1.0, 10.0, 100.0, 1000.0)
"""Inverse penalties tried by cross-validation; features have mean squared norm 1."""
FIXED = 10.0
"""Inverse penalty where there are too few labels to choose one."""
ENOUGH = 10
"""Labels of the median class from which the penalty is chosen."""
FOLDS = 3
ONE_FOLD = 500
"""Cells from which one fold of the three is held out instead of each in turn."""
TIGHT, LOOSE = 0.05, 0.3
"""Largest gradient at the end, in units in which the curvature is near 1: of the model that is
kept, and of those that only choose the penalty."""
MAX_STEPS = 500
ROTATE = 512
"""Widest features that are rotated to their principal axes; wider ones are only rescaled."""


@dataclass(frozen=True)
class Logistic:
    """A fitted model: class scores are x @ weight_DK + bias_K.

    Attributes:
        weight_DK, bias_K: float64, for features as they were given; the bias of a class without
            training cells is -inf.
        c: inverse penalty that was used.
    """

    weight_DK: np.ndarray
    bias_K: np.ndarray
    c: float

    def proba(self, x_ND: np.ndarray) -> np.ndarray:
        """(N, K) float64 class probabilities; rows sum to 1, classes never seen have 0."""
        score_NK = x_ND @ self.weight_DK + self.bias_K
        score_NK -= score_NK.max(1, keepdims=True)
        np.exp(score_NK, out=score_NK)
        return np.asarray(score_NK / score_NK.sum(1, keepdims=True))


def fit(x_ND: np.ndarray, y_N: np.ndarray, classes: int, c: float | None = None) -> Logistic:
    """Fit with balanced class weights, an unpenalised bias and a chosen penalty.

    Features are centred on the training cells and divided by one common scale, so that the mean
    squared norm of a training cell is 1. Then C * sum_i w_i * cross_entropy_i + ||W||^2 / 2 is
    minimised, with w_i = N / (classes present x cells of the class). One common scale, and not
    one a feature: rotating, shifting or scaling the features changes nothing, and directions
    that vary little are not blown up (at 3 labels a type the latter halves the score of PCA).

    Source: Hastie, Tibshirani & Friedman 2009, eq. 18.10-18.11 (ridge-penalised multinomial).
    Differs from the paper: balanced class weights.

    Args:
        x_ND: float features; more features than cells are reduced to N dimensions, exactly.
        y_N: class codes in [0, classes). Classes without a cell are never predicted.
        c: inverse penalty; None for that of `choose`.

    Raises:
        DataError: no training cell, or features that are not finite.
    """
    if len(y_N) == 0:
        raise DataError("no labelled cell to fit a classifier on", "one cell at least")
    x_ND = np.asarray(x_ND)
    if not np.isfinite(x_ND).all():
        raise DataError("features hold NaN or infinite values", "finite features")
    present_K, y_N = np.unique(y_N, return_inverse=True)
    weight_DK = np.zeros((x_ND.shape[1], classes))
    bias_K = np.full(classes, -np.inf)
    if len(present_K) == 1:
        bias_K[present_K] = 0.0
        return Logistic(weight_DK, bias_K, FIXED if c is None else c)
    mean_D = x_ND.mean(0)
    centred_ND = x_ND - mean_D
    scale = float(np.sqrt(np.vdot(centred_ND, centred_ND) / len(y_N))) or 1.0
    centred_ND /= centred_ND.dtype.type(scale)
    x_ND, basis = _reduce(centred_ND)
    c = choose(x_ND, y_N) if c is None else c
    problem = Problem.of(x_ND, y_N, len(present_K))
    weight, bias = problem.model(problem.solve(c, problem.start(), TIGHT))
    weight_DK[:, present_K] = (weight if basis is None else basis @ weight) / scale
    bias_K[present_K] = bias - mean_D @ weight_DK[:, present_K]
    return Logistic(weight_DK, bias_K, c)


def choose(x_ND: np.ndarray, y_N: np.ndarray) -> float:
    """Inverse penalty with the least class-balanced log loss on held-out training cells.

    Below `ENOUGH` labels of the median class it is `FIXED`. Else three stratified folds, of which
    only the first is held out from `ONE_FOLD` cells up. The folds depend on the labels alone, so
    every arm is tuned on the same ones. `GRID` is walked from strong to weak, with warm starts,
    until the loss rises; ties go to the stronger penalty.
    """
    count_K = np.bincount(y_N)
    if np.median(count_K) < ENOUGH:
        return FIXED
    fold_N = _folds(y_N)
    held = [fold_N == fold for fold in range(1 if len(y_N) >= ONE_FOLD else FOLDS)]
    problems = [Problem.of(x_ND[~held_N], y_N[~held_N], len(count_K)) for held_N in held]
    thetas = [problem.start() for problem in problems]
    best, least = GRID[0], np.inf
    for c in GRID:
        loss = 0.0
        for place, (problem, held_N) in enumerate(zip(problems, held, strict=True)):
            thetas[place] = problem.solve(c, thetas[place], LOOSE)
            weight, bias = problem.model(thetas[place])
            code_N = y_N[held_N]
            loss += float((1.0 / count_K[code_N]) @ _loss(x_ND[held_N] @ weight + bias, code_N))
        if loss >= least:
            break
        best, least = c, loss
    return best


def _folds(y_N: np.ndarray) -> np.ndarray:
    """Stratified folds; a class of one cell is always in training."""
    rng = generator("logistic folds", y_N.astype(np.int64).tobytes().hex())
    fold_N = np.full(len(y_N), -1)
    for code in np.unique(y_N):
        cells = rng.permutation(np.flatnonzero(y_N == code))
        if len(cells) > 1:
            fold_N[cells] = (np.arange(len(cells)) + rng.integers(FOLDS)) % FOLDS
    return fold_N


def _loss(score_NK: np.ndarray, y_N: np.ndarray) -> np.ndarray:
    """(N,) cross-entropy of class scores."""
    score_NK = score_NK - score_NK.max(1, keepdims=True)
    return np.asarray(np.log(np.exp(score_NK).sum(1)) - score_NK[np.arange(len(y_N)), y_N])


def _reduce(x_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Rotate N cells of more than N features to at most N dimensions.

    Exact for a ridge penalty: the best weights lie in the span of the cells.
    """
    n_cells, n_features = x_ND.shape
    if n_features <= n_cells:
        return x_ND, None
    square_R, basis_NR = np.linalg.eigh((x_ND @ x_ND.T).astype(np.float64))
    keep_R = square_R > square_R.max() * 1e-6
    if not keep_R.any():
        return x_ND[:, :1] * 0.0, np.zeros((n_features, 1))
    length_R = np.sqrt(square_R[keep_R])
    basis_NR = basis_NR[:, keep_R]
    return basis_NR * length_R, x_ND.T @ (basis_NR / length_R)


@dataclass(frozen=True)
class Problem:
    """Cells and labels of one fit, in coordinates that suit the solver.

    A solution theta has a row for each coordinate and a last one for the biases.

    Attributes:
        x_ND, x_DN: weighted-centred features along their principal axes, and transposed.
        y_N: codes in [0, K), each with a cell.
        weight_N: balanced cell weights, of mean 1.
        curvature_D: weighted sum of squares along each coordinate.
        basis_DD: principal axes; None for features wider than `ROTATE`, which keep theirs.
        mean_D: what was subtracted.
        classes: K.
    """

    x_ND: np.ndarray
    x_DN: np.ndarray
    y_N: np.ndarray
    weight_N: np.ndarray
    curvature_D: np.ndarray
    basis_DD: np.ndarray | None
    mean_D: np.ndarray
    classes: int

    @classmethod
    def of(cls, x_ND: np.ndarray, y_N: np.ndarray, classes: int) -> Problem:
        """Centre and rotate; every class needs a cell."""
        weight_N = len(y_N) / (classes * np.bincount(y_N, minlength=classes)[y_N])
        mean_D = (weight_N @ x_ND) / weight_N.sum()
        x_ND = x_ND - mean_D.astype(x_ND.dtype)
        basis_DD = None
        if x_ND.shape[1] <= ROTATE:
            curvature_D, basis_DD = np.linalg.eigh((x_ND * weight_N[:, None]).T @ x_ND)
            x_ND = x_ND @ basis_DD
        else:
            curvature_D = weight_N @ (x_ND * x_ND)
        x_DN = np.ascontiguousarray(x_ND.T)
        return cls(x_ND, x_DN, y_N, weight_N, curvature_D, basis_DD, mean_D, classes)

    def start(self) -> np.ndarray:
        """All weights 0."""
        return np.zeros((self.x_ND.shape[1] + 1, self.classes))

    def model(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (D, K) and biases (K,) for the features as they were given."""
        weight_DK = theta[:-1] if self.basis_DD is None else self.basis_DD @ theta[:-1]
        return weight_DK, theta[-1] - self.mean_D @ weight_DK

    def solve(self, c: float, start: np.ndarray, tolerance: float) -> np.ndarray:
        """L-BFGS on u with theta = scale * u, such that the curvature in u is near 1."""
        total = c * len(self.y_N)
        curvature = np.append(c * np.maximum(self.curvature_D, 0.0), total) / self.classes
        scale = (1.0 / np.sqrt(1.0 + curvature))[:, None]

        def scaled(flat: np.ndarray) -> tuple[float, np.ndarray]:
            value, grad = self.objective(c, flat.reshape(start.shape) * scale)
            return value / total, (grad * scale).ravel() / total

        options = {"maxiter": MAX_STEPS, "gtol": tolerance / total, "maxcor": 20, "ftol": 1e-12}
        first = (start / scale).ravel()
        found = minimize(scaled, first, jac=True, method="L-BFGS-B", options=options)
        return np.asarray(found.x.reshape(start.shape) * scale)

    def objective(self, c: float, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient of C * weighted cross-entropy + ridge penalty at theta."""
        rows_N = np.arange(len(self.y_N))
        score_NK = self.x_ND @ theta[:-1].astype(self.x_ND.dtype) + theta[-1]
        score_NK -= score_NK.max(1, keepdims=True)
        true_N = score_NK[rows_N, self.y_N]
        np.exp(score_NK, out=score_NK)
        norm_N = score_NK.sum(1)
        loss = float(self.weight_N @ (np.log(norm_N) - true_N))
        score_NK *= (self.weight_N / norm_N)[:, None]
        score_NK[rows_N, self.y_N] -= self.weight_N
        grad = np.empty_like(theta)
        grad[:-1] = c * (self.x_DN @ score_NK.astype(self.x_DN.dtype)) + theta[:-1]
        grad[-1] = c * score_NK.sum(0)
        return c * loss + 0.5 * float((theta[:-1] ** 2).sum()), grad
