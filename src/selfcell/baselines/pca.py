"""Principal components: of each corpus, of the target's own pool, and of both together.

Shape suffixes: P pool cells, N cells, G genes, D components.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from selfcell.baselines.base import OWN_POOL, BaselineInputs, Embedded
from selfcell.errors import DataError


@dataclass(frozen=True)
class Components:
    """A fitted PCA: z = (x - mean_G) @ axes_GD."""

    mean_G: np.ndarray
    axes_GD: np.ndarray

    def embed(self, x_NG: sparse.csr_matrix) -> np.ndarray:
        """(N, D) float32 coordinates; each row depends on its own cell alone."""
        z_ND = x_NG @ self.axes_GD - self.mean_G @ self.axes_GD
        return np.asarray(z_ND, dtype=np.float32)


def fit(x_NG: sparse.csr_matrix, width: int) -> Components:
    """PCA without scaling genes to unit variance, deterministic.

    Fitted once on training cells, and the same axes serve pool and test.

    Source: Jolliffe 2002, ch. 1 (eigenvectors of the covariance).
    Differs from the paper: the study's released code re-fitted PCA on each split.

    Args:
        width: components; fewer where there are fewer cells or genes.

    Raises:
        DataError: fewer than 3 cells or genes.
    """
    from sklearn.decomposition import PCA

    most = min(x_NG.shape) - 1
    if most < 2:
        raise DataError(f"PCA of {x_NG.shape[0]} cells and {x_NG.shape[1]} genes", "3 of each")
    n_components = min(width, most)
    # The start vector of the iteration is all that the seed sets; the result is exact.
    pca = PCA(n_components, svd_solver="arpack", random_state=0).fit(x_NG)
    return Components(pca.mean_.astype(np.float32), pca.components_.T.astype(np.float32))


def arms(inputs: BaselineInputs) -> Iterator[Embedded]:
    """PCA on each corpus, on the own pool, on both; and on the own pool's own best genes."""
    pool, test, width = inputs.pool_PG, inputs.test_NG, inputs.width
    fitted_on = {OWN_POOL: pool, **inputs.corpora}
    for name, corpus in inputs.corpora.items():
        fitted_on[f"{name}+{OWN_POOL}"] = sparse.vstack([corpus, pool], format="csr")
    for name, cells in fitted_on.items():
        axes = fit(cells, width)
        yield Embedded("pca", name, "none", 0, axes.embed(pool), axes.embed(test))
    if inputs.own_G is not None:
        pool, test = inputs.own(pool), inputs.own(test)
        axes = fit(pool, width)
        yield Embedded("pca_own_genes", OWN_POOL, "none", 0, axes.embed(pool), axes.embed(test))
