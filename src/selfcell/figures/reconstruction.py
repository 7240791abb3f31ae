"""Expression of held-out molecules: how much of it each arm explains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from selfcell.figures import dots, require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = dots.COLUMNS
METRICS = {
    "ev_weighted": "explained variance, weighted",
    "ev_uniform": "explained variance, mean of genes",
    "mse": "mean squared error",
}
# Far below the gene means, some of them; the table keeps them. Of decoders those that were not
# trained for the task.
LEFT_OUT = {"readout": ("decoder", "decoder_nb"), "method": ("copy_input", "permuted")}


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Every arm, metric and readout.

    Args:
        files: the score table alone.
    """
    from selfcell.stats.table import read

    return summary(read(files[0]))


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean of each arm, with its crossed 95 % interval."""
    return dots.summary(scores, "reconstruction", list(METRICS))


def draw(frame: pd.DataFrame) -> Figure:
    """Arms below each other, a row of panels for each target; runs that failed have no mark."""
    require(frame, COLUMNS, "reconstruction")
    for column, values in LEFT_OUT.items():
        frame = frame[~frame[column].isin(values) | (frame["mode"] == "fine-tuned")]
    return dots.draw(frame, METRICS)
