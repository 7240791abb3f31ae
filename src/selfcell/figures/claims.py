"""The paper's claims: as published, computed again from the published runs, and tested here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from selfcell.figures import require, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("claim", "short", "group", "metric", "direction", "margin"),
    *("published", "published_low", "published_high"),
    *("again", "again_low", "again_high", "again_collapsed", "again_verdict", "again_note"),
    *("target", "corpus", "analogue", "ours", "ours_low", "ours_high"),
    *("n_seeds", "n_draws", "n_failed", "verdict", "note"),
)
# Title, axis and its ends: what lies beyond is an arrow and a number.
GROUPS = {
    "fine-tuned": ("Pre-trained, then fine-tuned", "difference in macro-F1", (-0.15, 0.15)),
    "frozen": ("Pre-trained, then frozen", "difference in macro-F1", (-0.1, 0.7)),
    "types": ("Cell types", "rank correlation, or share of cells", (-1.0, 1.0)),
    "tasks": ("Other tasks", "difference in the task's own measure", (-0.01, 0.035)),
}
# Marks of the three effects, from top to bottom of a row: colour, marker, face, height.
EFFECTS = {
    "published": (style.GREY, "D", "white", -0.27),
    "again": (style.ORANGE, "o", style.ORANGE, 0.0),
    "ours": (style.BLUE, "s", style.BLUE, 0.27),
}
NAMES = {
    "published": "as published",
    "again": "from the runs that the figures show",
    "ours": "this study",
}
WORDS = {
    "agrees": style.GREEN,
    "disagrees": style.RED,
    "equivalent": style.BLUE,
    "undecided": "#404040",
    "not testable": style.GREY,
}
# Place and heading of the text columns.
HEADS = ((0.03, "published runs"), (0.34, "this study [95 % interval]"), (0.80, "verdict"))
ROW_MM = 5.6


def table(files: Sequence[Path]) -> pd.DataFrame:
    """What is drawn of each claim.

    Args:
        files: the ledger of claims alone.
    """
    from selfcell.stats.claims import CLAIMS

    return summary(CLAIMS.read(files[0]))


def summary(claims: pd.DataFrame) -> pd.DataFrame:
    """Claims in the order of the ledger, with what is drawn and the notes beside it."""
    return claims.sort_values("order")[list(COLUMNS)].reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """Forest plot, a panel for each group of claims; words and numbers beside it."""
    from matplotlib.lines import Line2D

    require(frame, COLUMNS, "claims")
    groups = [name for name in GROUPS if (frame.group == name).any()]
    sizes = [int((frame.group == name).sum()) for name in groups]
    with style.styled():
        height = ROW_MM * sum(sizes) + 15 * len(groups) + 12
        figure = style.new(min(height, style.MAX_HEIGHT_MM))
        panels = figure.subplots(
            len(groups), 2, sharey="row", squeeze=False,
            gridspec_kw={"height_ratios": [size + 0.6 for size in sizes], "width_ratios": [1, 1.1]},
        )  # fmt: skip
        for index, (name, (axes, words)) in enumerate(zip(groups, panels, strict=True)):
            _panel(axes, words, frame[frame.group == name], GROUPS[name], index)
        keys = [
            Line2D([], [], color=colour, marker=mark, markerfacecolor=face, label=NAMES[name])
            for name, (colour, mark, face, _) in EFFECTS.items()
        ]
        figure.legend(handles=keys, loc="outside lower center", ncols=3, borderpad=0.1)
    return figure


def _panel(
    axes: Axes,
    words: Axes,
    rows: pd.DataFrame,
    about: tuple[str, str, tuple[float, float]],
    index: int,
) -> None:
    title, unit, limits = about
    for y, row in enumerate(rows.itertuples()):
        axes.barh(y, 2 * row.margin, left=-row.margin, height=1.0, color="#EDEDED", zorder=0)
        for name in EFFECTS:
            _effect(axes, row, name, y, limits)
        _columns(words, row, y)
    axes.axvline(0, color="black", linewidth=0.6, zorder=1)
    axes.set_xlim(*limits)
    axes.set_yticks(range(len(rows)), rows.short)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, pad=5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(unit)
    style.title(axes, index, title)
    words.set_xlim(0, 1)
    words.set_axis_off()
    for x, text in HEADS if index == 0 else ():
        words.annotate(
            text, (x, 1.0), xytext=(0, 5), xycoords="axes fraction", textcoords="offset points",
            va="bottom", fontsize=style.SMALL,
        )  # fmt: skip


def _effect(axes: Axes, row: Any, name: str, place: int, limits: tuple[float, float]) -> None:
    """Point and interval of one effect; arrows where they leave the axis."""
    import seaborn as sns

    colour, mark, face, shift = EFFECTS[name]
    value, low, high = (getattr(row, f"{name}{part}") for part in ("", "_low", "_high"))
    y = place + shift
    if pd.isna(value):
        return
    if pd.notna(low):
        axes.hlines(y, max(low, limits[0]), min(high, limits[1]), color=colour, linewidth=1.0)
        for side, cut in ((0, low < limits[0]), (1, high > limits[1])):
            if cut:
                axes.plot(
                    limits[side], y, marker="<>"[side], color=colour, markersize=2.6, clip_on=False
                )
    if limits[0] <= value <= limits[1]:
        sns.scatterplot(
            x=[value], y=[y], ax=axes, marker=mark, color=face, edgecolor=colour, s=14,
            linewidth=0.9, zorder=3,
        )  # fmt: skip
        return
    side = int(value > 0)
    axes.annotate(
        f"{value:+.2g}".replace("-", "−").replace("e+0", "e"), (limits[side], y),
        xytext=(-6 if side else 6, 0), textcoords="offset points",
        ha="right" if side else "left", va="bottom", fontsize=style.SMALL, color=colour,
    )  # fmt: skip


def _columns(words: Axes, row: Any, y: int) -> None:
    again, ours = pd.notna(row.again), pd.notna(row.ours)
    number = f"{row.ours:+.3f}" if ours else "–"
    if ours and pd.notna(row.ours_low):
        number += f" [{row.ours_low:+.3f}, {row.ours_high:+.3f}]"
    lines = (
        (
            row.again_verdict if again else "–",
            f"{row.again_collapsed:.0f} collapsed" if again and row.again_collapsed else "",
        ),
        (style.target_name(row.target) if ours else "", number.replace("-", "−")),
        (row.verdict, f"{row.n_failed} failed" if row.n_failed else ""),
    )
    colours = (WORDS[row.again_verdict], "black", WORDS[row.verdict])
    for (x, _), pair, colour in zip(HEADS, lines, colours, strict=True):
        text = "\n".join(line for line in pair if line)
        words.text(x, y, text, fontsize=style.SMALL, va="center", color=colour, linespacing=1.1)
