"""The losses again, in float64 NumPy and loops, written from the papers' equations.

Shape suffixes: B cells, G genes, D dimensions.
"""

import math
from collections.abc import Callable

import numpy as np


def gradient(
    function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-5
) -> np.ndarray:
    """Central differences, one entry at a time."""
    slope = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        slope[index] = (function(up) - function(down)) / (2 * step)
    return slope


def masked_mse(y_BG: np.ndarray, x_BG: np.ndarray, mask_BG: np.ndarray) -> float:
    """Sum over hidden entries of (y - x)^2, over their number."""
    errors = [(y_BG[i] - x_BG[i]) ** 2 for i in np.ndindex(*x_BG.shape) if mask_BG[i]]
    return math.fsum(errors) / len(errors)


def negative_binomial(
    mean_BG: np.ndarray, dispersion_G: np.ndarray, count_BG: np.ndarray, mask_BG: np.ndarray
) -> float:
    """-log of C(k+r-1, k) (1-p)^k p^r with r = dispersion, p = r / (r + mean), averaged."""
    terms = []
    for b, g in zip(*np.nonzero(mask_BG), strict=True):
        k, r = count_BG[b, g], dispersion_G[g]
        p = r / (r + mean_BG[b, g])
        choose = math.lgamma(k + r) - math.lgamma(k + 1) - math.lgamma(r)
        terms.append(-(choose + k * math.log(1 - p) + r * math.log(p)))
    return math.fsum(terms) / len(terms)


def cosine(p_BD: np.ndarray, z_BD: np.ndarray) -> float:
    """Mean over cells of the squared distance of the unit vectors."""
    p_BD = p_BD / np.linalg.norm(p_BD, axis=1, keepdims=True)
    z_BD = z_BD / np.linalg.norm(z_BD, axis=1, keepdims=True)
    return float(np.mean(np.sum((p_BD - z_BD) ** 2, axis=1)))


def barlow_twins(a_BD: np.ndarray, b_BD: np.ndarray, weight: float) -> float:
    """Sum of (1 - C_ii)^2 plus weight times the sum of C_ij^2, C from Pearson correlations."""
    dimensions = a_BD.shape[1]
    loss = 0.0
    for i in range(dimensions):
        for j in range(dimensions):
            a, b = a_BD[:, i] - a_BD[:, i].mean(), b_BD[:, j] - b_BD[:, j].mean()
            scale = math.sqrt((a**2).mean() + 1e-5) * math.sqrt((b**2).mean() + 1e-5)
            c = float((a * b).mean()) / scale
            loss += (1 - c) ** 2 if i == j else weight * c**2
    return loss


def ntxent(a_BD: np.ndarray, b_BD: np.ndarray, temperature: float) -> float:
    """Mean over the 2B rows of -log(exp(s_ij/t) / sum_{k != i} exp(s_ik/t))."""
    z = np.concatenate([a_BD, b_BD])
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    rows, cells = len(z), len(a_BD)
    losses = []
    for i in range(rows):
        j = (i + cells) % rows
        others = [math.exp(z[i] @ z[k] / temperature) for k in range(rows) if k != i]
        losses.append(-math.log(math.exp(z[i] @ z[j] / temperature) / math.fsum(others)))
    return math.fsum(losses) / rows


def vicreg(a_BD: np.ndarray, b_BD: np.ndarray, weights: tuple[float, ...]) -> float:
    """lambda s + mu (v + v') + nu (c + c'), from the paper's equations 1 to 6."""
    dimensions = a_BD.shape[1]
    loss = weights[0] * float(np.mean(np.sum((a_BD - b_BD) ** 2, axis=1)))
    for z_BD in (a_BD, b_BD):
        spread = np.sqrt(z_BD.var(axis=0, ddof=1) + 1e-4)
        covariance = np.cov(z_BD.T)
        off = covariance[~np.eye(dimensions, dtype=bool)]
        loss += weights[1] * float(np.maximum(0, 1 - spread).mean())
        loss += weights[2] * float(np.sum(off**2)) / dimensions
    return loss
