"""Training curves: loss and learning measure of each pretext task, a line for each run.

The table also holds how each look found the code (`DIAGNOSTICS`); the figure shows the last
effective rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from selfcell.figures import read_study_table, require, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Run = tuple[str, str, int]
COLUMNS = ("corpus", "method", "seed", "step", "measure", "value")
POINTS = 100  # of each run's curve, at most
ROWS = 30_000  # of the table, about: a committed file has its limit
MOST = 16  # methods a page has room for
MEASURES = {"loss": "training loss", "skill": "masked skill", "retrieval": "retrieval / chance"}
DIAGNOSTICS = ("gate", "rank", "spread", "difficulty", "alignment", "uniformity")
RANKS = 4  # corpora whose ranks a panel has room for, one below the other


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Thinned curves of every run.

    Args:
        files: `<corpus>/<method>/s<seed>/history.parquet`; the path names the run.
    """
    runs = {}
    for path in map(Path, files):
        corpus, method, seed = path.parts[-4:-1]
        runs[(corpus, method, int(seed.removeprefix("s")))] = read_study_table(path)
    return summary(runs)


def summary(runs: Mapping[Run, pd.DataFrame]) -> pd.DataFrame:
    """Long table of the measures that a history holds, at `POINTS` steps at most."""
    found = []
    most = max(8, min(POINTS, ROWS // (8 * max(1, len(runs)))))
    for (corpus, method, seed), history in sorted(runs.items()):
        if history.empty:
            continue
        rows = np.unique(np.linspace(0, len(history) - 1, min(most, len(history))).astype(int))
        thin = history.iloc[rows]
        for measure in (*MEASURES, *DIAGNOSTICS):
            if measure in thin:
                known = thin[thin[measure].notna()]
                part = pd.DataFrame({"step": known.step.astype(int), "value": known[measure]})
                part = part.assign(corpus=corpus, method=method, seed=seed, measure=measure)
                found.append(part)
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(found, ignore_index=True)[list(COLUMNS)]


def draw(frame: pd.DataFrame) -> Figure:
    """For each method the loss with the last effective ranks, and below it the measure of the
    learning gate, with the gate where looks are measured as it is.

    More than `MOST` methods do not fit a page: the others are counted and stay in the table.
    """
    require(frame, COLUMNS, "training")
    methods = sorted(set(frame.method), key=lambda name: (name != "random_mask", name))
    left_out = len(methods[MOST:])
    methods = methods[:MOST]
    corpora = sorted(set(frame.corpus), key=lambda name: (style.is_control(name), name))
    colours = dict(zip(corpora, cycle(style.CORPUS_COLOURS), strict=False))
    columns = min(len(methods), 4)
    rows = -(-len(methods) // columns)
    with style.styled():
        figure = style.new(min(52.0 * rows + 10, style.MAX_HEIGHT_MM))
        panels = figure.subplots(2 * rows, columns, squeeze=False)
        for spare in panels[-2:, len(methods) - columns * (rows - 1) :].ravel():
            spare.set_visible(False)
        for index, method in enumerate(methods):
            row, column = divmod(index, columns)
            own = frame[frame.method == method]
            _pair(panels[2 * row, column], panels[2 * row + 1, column], own, colours)
            base, _, changed = method.partition("-")  # a deviation goes below its method
            words = style.method_name(base), changed.replace("_", " ")
            style.title(panels[2 * row, column], index, *words)
        figure.legend(
            handles=[_key(corpus, colours) for corpus in corpora], loc="outside lower center",
            ncols=len(corpora) if len(corpora) <= 3 else 2, borderpad=0.1,
            title=f"{left_out} more methods in the table" if left_out else None,
        )  # fmt: skip
    return figure


def _pair(upper: Axes, lower: Axes, own: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Loss above, learning measure below; the lower one goes where none was logged."""
    _curves(upper, own, "loss", colours)
    gate = next((m for m in MEASURES if m != "loss" and (own.measure == m).any()), "")
    if gate:
        _curves(lower, own, gate, colours)
        for level in own[own.measure == "gate"].value.unique():
            lower.axhline(level, color="0.5", linewidth=0.6, linestyle=(0, (4, 3)))
        upper.tick_params(labelbottom=False)
    else:
        lower.set_visible(False)
    (lower if gate else upper).set_xlabel("step")
    _ranks(upper, own[own.measure == "rank"], colours)


def _ranks(axes: Axes, own: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Effective rank at the last look, lowest and highest run of each corpus; of all corpora
    together where they are more than `RANKS`."""
    last = own.sort_values("step").groupby(["corpus", "seed"], sort=True).value.last()
    lines = last.groupby("corpus", sort=True)
    if lines.ngroups > RANKS:
        lines, colours = last.groupby(lambda _: "all"), {"all": style.BLACK}
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + 0.25 * lines.ngroups * (top - bottom))  # room for the words
    for line, (corpus, value) in enumerate(lines):
        low, high = f"{value.min():.0f}", f"{value.max():.0f}"
        text = "rank " + (low if low == high else f"{low}–{high}")
        axes.text(
            *(0.98, 0.98 - 0.16 * line, text), transform=axes.transAxes, ha="right", va="top",
            color=colours[str(corpus)], fontsize=style.SMALL,
        )  # fmt: skip


def _key(corpus: str, colours: Mapping[str, str]) -> Any:
    from matplotlib.lines import Line2D

    label = f"pre-trained on {style.corpus_name(corpus)}"
    return Line2D([], [], color=colours[corpus], label=label)


def _curves(axes: Axes, own: pd.DataFrame, measure: str, colours: Mapping[str, str]) -> None:
    import seaborn as sns

    runs = own[own.measure == measure]
    few = runs.groupby(["corpus", "seed"]).size().max() < 3
    sns.lineplot(
        runs, x="step", y="value", hue="corpus", units="seed", estimator=None, ax=axes,
        palette=dict(colours), linewidth=0.8, marker="." if few else "", legend=False,
    )  # fmt: skip
    axes.set_xlabel("")
    axes.set_ylabel(MEASURES[measure], fontsize=style.SMALL)
    axes.locator_params(axis="both", nbins=4)
