"""Figures: each module has `table(files)`, its small input table, and `draw(frame)`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from selfcell.errors import DataError, intact

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FIGURES = {
    "contrasts": "selfcell.figures.contrasts",
    "gain_map": "selfcell.figures.gain_map",
    "claims": "selfcell.figures.claims",
    "label_efficiency": "selfcell.figures.label_efficiency",
    "arms": "selfcell.figures.arms",
    "pretexts": "selfcell.figures.pretexts",
    "programmes": "selfcell.figures.programmes",
    "sweeps": "selfcell.figures.sweeps",
    "cost": "selfcell.figures.cost",
    "per_type": "selfcell.figures.per_type",
    "confusion": "selfcell.figures.confusion",
    "reconstruction": "selfcell.figures.reconstruction",
    "protein": "selfcell.figures.protein",
    "integration": "selfcell.figures.integration",
    "unseen": "selfcell.figures.unseen",
    "embedding": "selfcell.figures.embedding",
    "collapse": "selfcell.figures.collapse",
    "training": "selfcell.figures.training",
    "qc": "selfcell.figures.qc",
}


class FigureModule(Protocol):
    """What a module of `FIGURES` holds."""

    @property
    def COLUMNS(self) -> Sequence[str]:
        """Columns of the input table that `draw` needs."""
        ...

    @property
    def table(self) -> Callable[[Sequence[Path]], pd.DataFrame]:
        """The input table, made from the study's files."""
        ...

    @property
    def draw(self) -> Callable[[pd.DataFrame], Figure]:
        """The figure, made from the input table alone."""
        ...


def module(name: str) -> FigureModule:
    """Module of a figure. Raises KeyError for a name outside `FIGURES`."""
    return cast(FigureModule, importlib.import_module(FIGURES[name]))


def drawn(figure: FigureModule, frame: pd.DataFrame) -> Figure:
    """A figure from its input table; of an empty table one that says so, since a study in which
    no run learned has results all the same."""
    from selfcell.figures.style import nothing

    why = getattr(figure, "EMPTY", "no run to draw: see the score table")
    return nothing(why) if frame.empty else figure.draw(frame)


def write_table(frame: pd.DataFrame, path: Path | str) -> None:
    """Write an input table as csv: six significant digits, so that a rounding of the last bit
    on another machine does not change the file."""
    frame.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def read_table(path: Path | str) -> pd.DataFrame:
    """Read an input table; empty fields of text columns are empty text."""
    import pandas as pd

    frame = pd.read_csv(path, dtype={"regime": str, "batch": str, "label": str})
    text = frame.select_dtypes("object").columns
    frame[text] = frame[text].fillna("")
    return frame


def read_study_table(path: Path | str) -> pd.DataFrame:
    """A parquet table of the study. Raises StoreError for a damaged one."""
    import pandas as pd

    with intact(path):
        return pd.read_parquet(path)


def require(frame: pd.DataFrame, columns: Sequence[str], figure: str) -> None:
    """Raise DataError if an input table is empty or lacks a column."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(f"the table of figure {figure} lacks {missing}", f"columns {list(columns)}")
    if frame.empty:
        raise DataError(f"the table of figure {figure} is empty", "a row at least")
