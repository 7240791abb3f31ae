"""Small made-up targets: Gaussian classes, and a split with draws over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from selfcell.keys import generator

SIZES = (40, 25, 12, 5)
CLASSES = ["alpha", "beta", "delta", "rare"]


def cells(
    per_class: tuple[int, ...] = SIZES, dims: int = 8, gap: float = 3.0, key: object = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) float32 codes around a random centre for each class, and their class codes."""
    rng = generator("blobs", key)
    centre_KD = generator("centres", dims).standard_normal((len(per_class), dims)) * gap
    code_N = np.repeat(np.arange(len(per_class)), per_class)
    z_ND = centre_KD[code_N] + rng.standard_normal((len(code_N), dims))
    return z_ND.astype(np.float32), code_N


def split(draws: int = 2, regimes: tuple[str, ...] = ("3", "10", "all")) -> dict[str, Any]:
    """A split file's content over `cells("pool")` and `cells("test")`: nested label draws."""
    label_P = [CLASSES[code] for code in cells(key="pool")[1]]
    made: dict[str, list[list[int]]] = {regime: [] for regime in regimes}
    for draw in range(draws):
        orders = [
            generator("order", draw, name).permutation(np.flatnonzero(np.array(label_P) == name))
            for name in CLASSES
        ]
        for regime in regimes:
            n = 10**6 if regime == "all" else int(regime)
            kept = [order[: min(n, -(-4 * len(order) // 5))] for order in orders]
            made[regime].append(np.sort(np.concatenate(kept)).tolist())
    test = [CLASSES[code] for code in cells(key="test")[1]]
    return {
        "target": "blobs",
        "hash": "0123456789ab",
        "classes": CLASSES,
        "pool_labels": label_P,
        "test_labels": test,
        "test_donors": ["one" if place % 2 else "two" for place in range(len(test))],
        "draws": made,
    }
