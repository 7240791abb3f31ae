"""Adjusted p-values of a family of contrasts."""

from __future__ import annotations

import numpy as np

RULE = {"primary": "holm", "secondary": "fdr_bh"}


def adjust(p_N: np.ndarray, family: str) -> np.ndarray:
    """Adjusted p-values: Holm for "primary", Benjamini-Hochberg for "secondary".

    NaN stays NaN and does not count as a test.
    """
    from statsmodels.stats.multitest import multipletests

    p_N = np.asarray(p_N, dtype=float)
    adjusted_N = np.full_like(p_N, np.nan)
    known_N = np.isfinite(p_N)
    if known_N.any():
        adjusted_N[known_N] = multipletests(p_N[known_N], method=RULE[family])[1]
    return adjusted_N
