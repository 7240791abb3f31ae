"""Principal components fitted anew on the test cells, as the released code of the study did.

Pool and test then lie in two spaces whose axes need not correspond, in order or in sign, and a
classifier fitted in the one is asked about the other. Scored under protocol "published", so in no
contrast; it measures what that mistake costs the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator

from selfcell.baselines.base import OWN_POOL, BaselineInputs, Embedded
from selfcell.baselines.pca import fit


def arms(inputs: BaselineInputs) -> Iterator[Embedded]:
    """One arm: PCA of the pool for the pool, PCA of the test cells for the test cells.

    Source: code released with Richter et al. 2024 (PCA baseline).
    Differs from the paper: nothing.
    """
    pool, test = inputs.pool_PG, inputs.test_NG
    width = min(inputs.width, min(pool.shape) - 1, min(test.shape) - 1)
    z_PD, z_ND = fit(pool, width).embed(pool), fit(test, width).embed(test)
    yield Embedded("pca_refitted", OWN_POOL, "none", 0, z_PD, z_ND, protocol="published")
