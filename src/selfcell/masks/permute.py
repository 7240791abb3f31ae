"""Programmes without their biology: permuted so that all degrees stay.

Shape suffixes: P programmes, G genes.
"""

from __future__ import annotations

import numpy as np

TRADES_PER_PROGRAMME = 10


def permute_programmes(member_PG: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(P, G) bool drawn from all memberships with the same row sums and column sums.

    Every programme keeps its size and every gene its number of programmes, so each gene is
    masked about as often as before; which genes go together is chance. Pairs of programmes
    trade the genes that only one of them holds, 10 trades a programme.

    Source: Strona et al. 2014, "curveball" algorithm; Carstens 2015 (its uniformity).
    Differs from the paper: a fixed number of trades, 10 a programme (5 suffice in its fig. 2).
    """
    sets = [set(np.flatnonzero(row_G).tolist()) for row_G in member_PG]
    trades = TRADES_PER_PROGRAMME * len(sets) if len(sets) > 1 else 0
    pair_N2 = rng.integers(0, len(sets), size=(trades, 2))
    for first, other in pair_N2.tolist():
        if first == other:
            continue
        only_first, only_other = sets[first] - sets[other], sets[other] - sets[first]
        if not only_first or not only_other:
            continue
        pool = rng.permutation(sorted(only_first | only_other)).tolist()
        shared = sets[first] & sets[other]
        sets[first] = shared | set(pool[: len(only_first)])
        sets[other] = shared | set(pool[len(only_first) :])
    permuted_PG = np.zeros_like(member_PG, dtype=bool)
    for row, genes in enumerate(sets):
        permuted_PG[row, list(genes)] = True
    return permuted_PG
