"""What quality control saw: counts, genes and mitochondrial share of each data set's cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from selfcell.figures import read_study_table, require, style
from selfcell.keys import generator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("dataset", "total_counts", "n_genes", "pct_mito", "kept", "n_cells", "n_kept")
CELLS = 2_000  # per data set
AXES = {
    "total_counts": "counts per cell",
    "n_genes": "genes per cell",
    "pct_mito": "mitochondrial counts (%)",
}


def table(files: Sequence[Path]) -> pd.DataFrame:
    """A fixed sample of each data set's cells, dropped ones included.

    Args:
        files: `qc.parquet` of each data set; its folder names the data set.
    """
    return summary({Path(path).parent.name: read_study_table(path) for path in files})


def summary(cells: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """At most `CELLS` cells a data set, dropped ones first; `n_cells` and `n_kept` count all."""
    found = []
    for name, own in sorted(cells.items()):
        kept = own.reason.fillna("") == ""
        rng = generator("qc figure", name)
        drawn = rng.permutation(len(own))
        # Dropped cells are few and are what the reader looks for: the sample takes them first.
        rows = np.sort(drawn[np.argsort(kept.to_numpy()[drawn], kind="stable")][:CELLS])
        sample = own.assign(dataset=name, kept=kept, n_cells=len(own), n_kept=int(kept.sum()))
        found.append(sample.iloc[rows][list(COLUMNS)])
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(found, ignore_index=True).round({"pct_mito": 3})


def draw(frame: pd.DataFrame) -> Figure:
    """A violin for each data set and measure; what was not measured says so."""
    require(frame, COLUMNS, "qc")
    names = style.in_order(frame.dataset)
    with style.styled():
        figure = style.new(min(9.0 * len(names) + 32, style.MAX_HEIGHT_MM))
        panels = figure.subplots(1, 3, sharey=True)
        for index, (axes, column) in enumerate(zip(panels, AXES, strict=True)):
            _panel(axes, frame, column, names)
            style.letter(axes, index, 5.0)
        counts = frame.drop_duplicates("dataset").set_index("dataset")
        labels = [
            f"{style.target_name(name)}\n{counts.n_kept[name]:,} of {counts.n_cells[name]:,} kept"
            for name in names
        ]
        panels[0].set_yticks(range(len(names)), labels)
        panels[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, column: str, names: Sequence[str]) -> None:
    import seaborn as sns

    kept = frame[frame.kept.astype(bool)]
    shown = kept[kept[column].notna()]
    logarithmic = column != "pct_mito"
    if len(shown):
        sns.violinplot(
            shown, x=column, y="dataset", order=list(names), orient="h", ax=axes, color=style.SKY,
            cut=0, inner="quart", linewidth=0.6, density_norm="width", log_scale=logarithmic,
            width=0.8,
        )  # fmt: skip
    dropped = frame[~frame.kept.astype(bool) & frame[column].notna()]
    if logarithmic:
        dropped = dropped[dropped[column] > 0]
    place = dropped.dataset.map({name: position for position, name in enumerate(names)})
    if len(dropped):
        axes.plot(dropped[column], place + 0.0, "|", color=style.RED, markersize=4, zorder=4)
    for position, name in enumerate(names):
        if not (shown.dataset == name).any():
            axes.text(
                0.03, position, "not measured", transform=axes.get_yaxis_transform(),
                va="center", fontsize=style.SMALL, color=style.GREY,
            )  # fmt: skip
    if not len(shown):
        axes.set_xticks([])
    elif logarithmic:
        _plain_log_ticks(axes)
    axes.set_xlabel(AXES[column])
    axes.set_ylabel("")
    axes.tick_params(axis="y", length=0)


def _short(value: float, _: int) -> str:
    """A count as 500, 2k or 20k."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _plain_log_ticks(axes: Axes) -> None:
    """Ticks at 1, 2 and 5 times powers of ten, as plain numbers, no more than fit."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_xlim()
    subs = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    axes.xaxis.set_minor_formatter(NullFormatter())
