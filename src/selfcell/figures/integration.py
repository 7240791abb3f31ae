"""Data integration: do batches come together and types stay apart, arm by arm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from selfcell.figures import dots, require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = dots.COLUMNS
EMPTY = "the study asked for no data integration"
# What the figure shows; the table also holds the metrics that these are means of.
DRAWN = {"total": "total, .6 biology + .4 batches", "bio": "biology", "batch": "batches"}


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Every arm and metric.

    Args:
        files: the score table alone.
    """
    from selfcell.stats.table import read

    return summary(read(files[0]))


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean of each arm, with its 95 % interval over seeds."""
    own = scores[(scores.task == "integrate") & (scores.level == "overall")]
    rest = sorted(set(own.metric) - set(DRAWN))
    return dots.summary(scores, "integrate", [*DRAWN, *rest])


def draw(frame: pd.DataFrame) -> Figure:
    """Arms below each other; one row of panels for each target."""
    require(frame, COLUMNS, "integration")
    return dots.draw(frame[frame.metric.isin(list(DRAWN))], DRAWN, "cells")
