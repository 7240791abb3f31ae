"""Surface proteins predicted from RNA: correlation and error of each arm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from selfcell.figures import dots, require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = dots.COLUMNS
# What the figure shows; the table also holds the other aggregations.
DRAWN = {
    "pearson_protein": "Pearson, mean of proteins",
    "pearson_cell": "Pearson, mean of cells",
    "spearman_protein": "Spearman, mean of proteins",
    "mse": "mean squared error",
}
METRICS = (
    *DRAWN,
    *("pearson_protein_median", "pearson_flat"),
    *("spearman_protein_median", "spearman_cell", "spearman_flat"),
)
REGIME = "all"
HIDDEN = ("perfect", "permuted")  # the table keeps them


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Every arm, metric, readout and number of training cells.

    Args:
        files: the score table alone.
    """
    from selfcell.stats.table import read

    return summary(read(files[0]))


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean of each arm, with its crossed 95 % interval."""
    found = scores[(scores.task == "protein") & (scores.level == "overall")]
    return dots.summary(scores, "protein", [m for m in METRICS if (found.metric == m).any()])


def draw(frame: pd.DataFrame) -> Figure:
    """Arms below each other, all training cells; one row of panels for each target."""
    require(frame, COLUMNS, "protein")
    regime = REGIME if (frame.regime == REGIME).any() else frame.regime.iloc[-1]
    shown = frame[(frame.regime == regime) & frame.metric.isin(list(DRAWN))]
    shown = shown[~shown.method.isin(HIDDEN)]
    # Neighbours stand beside the ridge readout for one method; the table holds them for all.
    return dots.draw(shown[(shown.readout != "knn5") | (shown.method == "random_mask")], DRAWN)
