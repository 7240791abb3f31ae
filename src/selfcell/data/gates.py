"""Cell types from surface proteins alone: labels that no expression of a gene had a say in.

Counts are normalised by the centred log-ratio over a cell's proteins, isotype controls apart. Each
protein is cut where two normal distributions fitted to its values cross between their means, so no
label chooses a threshold; a protein without two such populations is refused. A type is what lies
above the thresholds of its proteins in `GATES` and below those of all others. Cells in no gate keep
no label.

Shape suffixes: N cells, Q proteins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from selfcell.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

PROTEINS = ("CD3", "CD4", "CD8", "CD11c", "CD14", "CD16", "CD19")
# Proteins that a type has; it lacks all others of `PROTEINS`. NK cells are told by CD16 and not by
# CD56, whose values fall into no two populations (pbmc1k_gated: .7 deviations apart).
GATES: Mapping[str, frozenset[str]] = {
    "CD4 T": frozenset({"CD3", "CD4"}),
    "CD8 T": frozenset({"CD3", "CD8"}),
    "B": frozenset({"CD19"}),
    "CD14 Mono": frozenset({"CD11c", "CD14"}),
    "CD16 Mono": frozenset({"CD11c", "CD16"}),
    "NK": frozenset({"CD16"}),
}
APART = 2.0  # distance of the means in units of the root mean square of the two deviations
GRID = 2001


def types(count_NQ: pd.DataFrame) -> np.ndarray:
    """(N,) the gate that each cell is in, "" for none.

    Args:
        count_NQ: counts of the proteins named in its columns.

    Raises:
        DataError: a gated protein is absent, or its values do not fall into two populations.
    """
    if absent := [name for name in PROTEINS if name not in count_NQ]:
        raise DataError(f"no protein {', '.join(absent)}", f"counts of {', '.join(PROTEINS)}")
    y_NQ = normalise(count_NQ)
    has = {name: y_NQ[name] > threshold(y_NQ[name].to_numpy(), name) for name in PROTEINS}
    found = np.full(len(y_NQ), "", dtype=object)
    for label, wanted in GATES.items():
        inside = [has[name].to_numpy() == (name in wanted) for name in PROTEINS]
        found[np.logical_and.reduce(inside)] = label
    return found.astype(str)


def normalise(count_NQ: pd.DataFrame) -> pd.DataFrame:
    """log1p counts less their mean over the cell's proteins, isotype controls left out.

    Source: Stoeckius et al. 2017 (CITE-seq), centred log-ratio.
    Differs from the paper: log1p for log, since counts are 0.
    """
    own = [name for name in count_NQ if "control" not in str(name).lower()]
    y_NQ = np.log1p(count_NQ[own].astype(np.float64))
    return y_NQ.sub(y_NQ.mean(axis=1), axis=0)


def threshold(value_N: np.ndarray, name: str) -> float:
    """Where the upper of two normal distributions fitted to the values begins to prevail.

    Source: Ashman et al. 1994 for when two populations are apart (D > 2).
    Differs from the paper: nothing.

    Raises DataError for values that are not of two populations.
    """
    from sklearn.mixture import GaussianMixture

    middle = (value_N.min() + value_N.max()) / 2
    sides = value_N[value_N <= middle], value_N[value_N > middle]
    if min(map(len, sides)) < 2:
        raise DataError(f"protein {name}: {len(value_N)} cells of one kind", "two populations")
    start = [[side.mean()] for side in sides]
    fitted = GaussianMixture(2, means_init=start, random_state=0).fit(value_N[:, None])
    (low, high), spread = sorted(fitted.means_[:, 0]), np.sqrt(fitted.covariances_.mean())
    if (high - low) / spread <= APART:
        raise DataError(
            f"protein {name}: populations {(high - low) / spread:.2f} deviations apart",
            f"more than {APART:g}",
            "gate other proteins, or label the cells elsewhere",
        )
    grid = np.linspace(low, high, GRID)
    upper = fitted.predict(grid[:, None]) == int(np.argmax(fitted.means_[:, 0]))
    return float(grid[int(np.flatnonzero(~upper)[-1])])
