"""Did every network learn, and is its code alive? What the learning gate saw of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from selfcell.figures import require, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("corpus", "method", "seed", "status", "gate", "value", "threshold", "effective_rank"),
    *("spread", "alignment", "uniformity"),
)
PANELS = {
    "gate_ratio": "gate over its threshold",
    "effective_rank": "effective rank",
    "spread": "spread of the code",
    "uniformity": "uniformity",
    "alignment": "alignment",
}
LOGARITHMIC = ("gate_ratio", "spread")
BAD = (style.RED, "X")
LEAST = 0.05  # of the gate's ratio, below which a run is drawn at it
MOST = 40  # rows that a page has room for


def table(files: Sequence[Path]) -> pd.DataFrame:
    """What the gate found of each run.

    Args:
        files: the table of the models' health alone.
    """
    from selfcell.stats.health import HEALTH

    return summary(HEALTH.read(files[0]))


def summary(health: pd.DataFrame) -> pd.DataFrame:
    """The columns that are drawn, a row for each run."""
    order = ["corpus", "method", "seed"]
    return health[list(COLUMNS)].sort_values(order, kind="stable").reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A line for each method and corpus, a panel for each measure, a mark for each run."""
    require(frame, COLUMNS, "collapse")
    ratio = (frame.value / frame.threshold).clip(lower=LEAST)
    # A run that diverged has no measure at all: it stands at the left edge.
    frame = frame.assign(gate_ratio=ratio.fillna(LEAST), row=frame.apply(_row, axis=1))
    rows = list(dict.fromkeys(frame.sort_values(["method", "corpus"]).row))
    left_out, rows = len(rows[MOST:]), rows[:MOST]
    frame = frame[frame.row.isin(rows)]
    shown = {name: words for name, words in PANELS.items() if frame[name].notna().any()}
    corpora = sorted(set(frame.corpus), key=lambda name: (style.is_control(name), name))
    colours = dict(zip(corpora, cycle(style.CORPUS_COLOURS), strict=False))
    with style.styled():
        figure = style.new(min(4.2 * len(rows) + 26, style.MAX_HEIGHT_MM))
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for index, (axes, (measure, words)) in enumerate(zip(panels, shown.items(), strict=True)):
            _panel(axes, frame, measure, rows, colours)
            axes.set_xlabel(words)
            style.letter(axes, index, 5.0)
        panels[0].axvline(1.0, color="0.4", linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
        panels[0].set_yticks(range(len(rows)), rows)
        panels[0].set_ylim(len(rows) - 0.4, -0.6)
        learned = set(frame.corpus[frame.status == "ok"])
        _legend(figure, {name: colours[name] for name in corpora if name in learned}, left_out)
    return figure


def _row(run: pd.Series) -> str:
    end = ", genes shuffled" if style.is_control(run.corpus) else ""
    return style.method_name(run.method) + end


def _panel(
    axes: Axes, frame: pd.DataFrame, measure: str, rows: Sequence[str], colours: Mapping[str, str]
) -> None:
    import seaborn as sns

    known = frame[frame[measure].notna()]
    bad = known.status != "ok"
    for corpus, colour in colours.items():
        own = known[~bad & (known.corpus == corpus)]
        sns.scatterplot(
            x=own[measure], y=own.row.map(rows.index), ax=axes, color=colour, s=12, linewidth=0,
            zorder=3,
        )  # fmt: skip
    sns.scatterplot(
        x=known[measure][bad], y=known.row[bad].map(rows.index), ax=axes, color=BAD[0],
        marker=BAD[1], s=24, linewidth=0, zorder=4,
    )  # fmt: skip
    if measure in LOGARITHMIC:
        axes.set_xscale("log")
        low, high = known[measure].min(), known[measure].max()
        axes.set_xlim(0.7 * low, 1.5 * high)
        _ticks(axes)
    else:
        axes.locator_params(axis="x", nbins=4)
    axes.set_ylabel("")
    axes.yaxis.grid(True, color="#EFEFEF", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)


def _ticks(axes: Axes) -> None:
    """Powers of ten as plain numbers, and 3 between them, few enough to stand apart."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = axes.get_xlim()
    every = [base * 10.0**power for power in range(-3, 5) for base in (1, 3)]
    within = [value for value in every if low <= value <= high]
    few = within if len(within) <= 4 else within[::2]
    axes.xaxis.set_major_locator(FixedLocator(few))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _legend(figure: Figure, colours: Mapping[str, str], left_out: int) -> None:
    entries = [(style.learned_on(name), colour, "o") for name, colour in colours.items()]
    entries.append(("did not learn, collapsed or diverged", *BAD))
    rest = f"{left_out} more rows in the table" if left_out else None
    style.legend(figure, entries, 2, rest)
