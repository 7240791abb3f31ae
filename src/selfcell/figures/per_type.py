"""Change of F1 of each cell type, types ordered by how often they occur in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from selfcell.figures import require, style
from selfcell.stats.by_type import FROZEN, TUNED, TYPE_CHANGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = TYPE_CHANGES.names
LOOK = {FROZEN: (style.BLUE, "o", -0.14), TUNED: (style.RED, "s", 0.14)}


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Paired change of F1 of each type: `stats.by_type.TYPE_CHANGES`, from its file."""
    return TYPE_CHANGES.read(files[0])


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each target and corpus; types from frequent to rare."""
    require(frame, COLUMNS, "per_type")
    panels = style.places(frame)
    columns = min(len(panels), 2)
    n_types = [own.label.nunique() for _, _, own in panels]
    heights = [max(n_types[i : i + columns]) for i in range(0, len(panels), columns)]
    with style.styled():
        size = sum(4.6 * height + 17 for height in heights) + 10
        figure = style.new(min(size, style.MAX_HEIGHT_MM))
        ratios = {"height_ratios": heights}
        axes = style.grid(figure, len(panels), columns, gridspec_kw=ratios)
        keys: dict[str, Any] = {}
        for index, (target, corpus, own) in enumerate(panels):
            _panel(axes[index], own, keys)
            second = style.learned_on(corpus, own.role.iloc[0])
            if own.n_failed.any():
                failed = own.drop_duplicates("comparison").n_failed.sum()
                second = f"{second}; {failed} runs failed"
            style.title(axes[index], index, style.target_name(target), second)
            axes[index].set_xlabel("change in F1")
            axes[index].locator_params(axis="x", nbins=5)
        figure.legend(
            list(keys.values()), [f"masked autoencoder: {name}" for name in keys],
            loc="outside lower center", ncols=2, borderpad=0.1,
        )  # fmt: skip
    return figure


def _panel(axes: Axes, own: pd.DataFrame, keys: dict[str, Any]) -> None:
    import seaborn as sns

    order = own.drop_duplicates("label").sort_values(["n_pool", "label"], ascending=[False, True])
    place = {label: position for position, label in enumerate(order.label)}
    for comparison, (colour, mark, shift) in LOOK.items():
        rows = own[own.comparison == comparison]
        if rows.empty:
            continue
        y = rows.label.map(place) + (shift if own.comparison.nunique() > 1 else 0.0)
        axes.hlines(y, rows.low, rows.high, color=colour, linewidth=1.0)
        sns.scatterplot(
            x=rows.difference, y=y, ax=axes, color=colour, marker=mark, s=12, linewidth=0, zorder=3
        )
        keys.setdefault(comparison, axes.collections[-1])
    axes.set_ylabel("")
    axes.axvline(0, color="black", linewidth=0.6, zorder=1)
    labels = [
        f"{row.label.replace('_', ' ')}  {row.n_pool:,} ({100 * row.share:.1f} %)"
        for row in order.itertuples()
    ]
    axes.set_yticks(range(len(order)), labels)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.yaxis.grid(True, color="#EFEFEF", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
