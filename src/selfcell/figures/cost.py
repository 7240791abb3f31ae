"""What pre-training costs and what it brings: each method's gain over PCA by its CPU seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from selfcell.figures import pretexts, require, style
from selfcell.stats.roles import PART

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("target", "corpus", "role", "method", "cpu_s", "cpu_low", "cpu_high", "n_runs"),
    *("difference", "low", "high", "verdict", "n_seeds", "n_draws", "n_failed", "margin"),
)
ENDING = " probe - best PCA probe"


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Cost and gain of each frozen method.

    Args:
        files: the contrast table and the costs.
    """
    from selfcell.stats.contrasts import CONTRASTS
    from selfcell.stats.predictions import COSTS

    return summary(CONTRASTS.read(files[0]), COSTS.read(files[1]))


def summary(contrasts: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Contrast of each method's probe with the best PCA probe, and the processor time of
    pre-training one model: median, least and most of the runs."""
    gains = contrasts[contrasts.name.str.endswith(ENDING)]
    gains = gains[~gains.corpus.map(style.is_control).astype(bool) & (gains.role != PART)]
    method = gains.name.str.removesuffix(ENDING).replace("MAE", "random_mask")
    runs = costs[costs.rule == "pretrain"].groupby(["corpus", "method"]).cpu_s
    spent = runs.agg(cpu_s="median", cpu_low="min", cpu_high="max", n_runs="size").reset_index()
    both = gains.assign(method=method).merge(spent, on=["corpus", "method"])
    return both[list(COLUMNS)].reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each target and corpus on which several methods ran, else for each."""
    require(frame, COLUMNS, "cost")
    frame = frame[frame.difference.notna()]
    if frame.empty:
        return style.nothing("no run learned")
    panels = style.places(frame)
    panels = [panel for panel in panels if len(panel[2]) > 1] or panels
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    looks = pretexts.looks(frame.method)
    with style.styled():
        figure = style.new(min(58.0 * rows + 22, style.MAX_HEIGHT_MM))
        axes = style.grid(figure, len(panels), columns)
        for index, (target, corpus, own) in enumerate(panels):
            _panel(axes[index], own, looks)
            second = style.origin(corpus, own.role.iloc[0])
            style.title(axes[index], index, style.target_name(target), second)
            axes[index].set_xlabel("CPU seconds of one pre-training")
            if index % columns == 0:
                axes[index].set_ylabel("macro-F1, probe − PCA")
        _legend(figure, looks)
    return figure


def _panel(axes: Axes, own: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    import seaborn as sns

    margin = float(own.margin.max())
    axes.axhspan(-margin, margin, color="#EDEDED", linewidth=0, zorder=0)
    axes.axhline(0, color="black", linewidth=0.6, zorder=1)
    for row in own.itertuples():
        colour, mark = looks[row.method]
        axes.vlines(row.cpu_s, row.low, row.high, color=colour, linewidth=0.9)
        axes.hlines(row.difference, row.cpu_low, row.cpu_high, color=colour, linewidth=0.9)
        sns.scatterplot(
            x=[row.cpu_s], y=[row.difference], ax=axes, color=colour, marker=mark, s=20,
            linewidth=0, zorder=3,
        )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.set_xlim(0, 1.08 * float(own.cpu_high.max()))
    axes.locator_params(axis="both", nbins=5)


def _legend(figure: Figure, looks: dict[str, tuple[str, str]]) -> None:
    entries = [(style.method_name(name), *look) for name, look in looks.items()]
    style.legend(figure, entries, 5)
