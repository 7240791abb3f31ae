"""Programme masks again, with Python sets.

Shape suffixes: B cells, G genes, P programmes.
"""

import numpy as np


def union(order: list[int], member_PG: np.ndarray, base: set[int], share: float) -> set[int]:
    """Genes of the shortest prefix of `order` whose union covers `share` of `base`."""
    hidden: set[int] = set()
    for programme in order:
        if len(hidden & base) >= share * len(base):
            break
        hidden |= set(np.flatnonzero(member_PG[programme]).tolist())
    return hidden


def standardise(x_BD: np.ndarray) -> np.ndarray:
    """Batch normalisation without scale and shift, population variance plus 1e-5."""
    return (x_BD - x_BD.mean(0)) / np.sqrt(((x_BD - x_BD.mean(0)) ** 2).mean(0) + 1e-5)
