"""Scores against the size of a corpus, and against a setting of a pretext task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from selfcell.figures import require, style
from selfcell.figures.summary import arm_summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("target", "sweep", "x", "corpus", "method", "mode", "readout", "regime"),
    *("mean", "low", "high", "n_seeds", "n_draws", "n_failed", "n_test"),
)
READOUTS = {"frozen": "probe", "fine-tuned": "head"}
REGIME = "10"  # labels per type, in which frozen and fine-tuned arms both have several draws
CELLS = "cells of"
NUMBER = "permutation"  # names a control, and measures nothing
EMPTY = "no part of a corpus and no setting was swept: needs configs/paper.yaml"


class Entry(NamedTuple):
    """A pre-trained network, whatever its seed.

    Attributes:
        corpus, method: its names. whole: the corpus that its own is a part of, or that itself.
        n_cells: it was trained on. task: pretext task. params: its settings.
    """

    corpus: str
    method: str
    whole: str
    n_cells: int
    task: str
    params: dict[str, Any]


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Means of the networks that a sweep is about.

    Args:
        files: the score table, then `model.json` of one network of each corpus and method.
    """
    from selfcell.stats.table import overall, read

    return summary(overall(read(files[0]), "macro_f1"), [_entry(path) for path in files[1:]])


def _entry(path: Path) -> Entry:
    from selfcell.errors import intact

    with intact(path):
        model = json.loads(Path(path).read_text(encoding="utf-8"))
        spec = model["spec"]
        corpus = spec["corpus"]
        return Entry(
            corpus["name"], spec["method"], corpus["part_of"] or corpus["name"],
            int(model["corpus"]["n_train"]), spec["task"], spec["params"],
        )  # fmt: skip


def summary(scores: pd.DataFrame, entries: Sequence[Entry]) -> pd.DataFrame:
    """A row for each target, sweep, value, method and mode at `REGIME` labels per type."""
    arms = arm_summary(scores[(scores.regime == REGIME) & (scores.init == "pretrained")])
    arms = arms[arms.readout == arms["mode"].map(READOUTS)]
    found = []
    for sweep, corpus, method, x in [*_sizes(entries), *_settings(entries)]:
        own = arms[(arms.corpus == corpus) & (arms.method == method)]
        found.append(own.assign(sweep=sweep, x=float(x)))
    frame = pd.concat(found) if found else pd.DataFrame(columns=list(COLUMNS))
    several = frame.groupby(["sweep", "target"]).x.transform("nunique") > 1
    frame = frame[several.astype(bool)]
    order = ["sweep", "target", "mode", "method", "x", "corpus"]
    return frame[list(COLUMNS)].sort_values(order, kind="stable").reset_index(drop=True)


def _sizes(entries: Sequence[Entry]) -> Iterator[tuple[str, str, str, float]]:
    """Corpora with parts: the parts and the whole, by method."""
    parts = {(entry.whole, entry.method) for entry in entries if entry.corpus != entry.whole}
    for entry in entries:
        if (entry.whole, entry.method) in parts:
            yield f"{CELLS} {entry.whole}", entry.corpus, entry.method, entry.n_cells


def _settings(entries: Sequence[Entry]) -> Iterator[tuple[str, str, str, float]]:
    """Methods of one task and corpus that differ in one number alone."""
    swept: dict[tuple[str, str, str], float] = {}
    for one, other in combinations(entries, 2):
        if (one.corpus, one.task) != (other.corpus, other.task) or one.corpus != one.whole:
            continue
        differing = [key for key in one.params if one.params[key] != other.params.get(key)]
        if len(differing) != 1 or differing == [NUMBER]:
            continue
        (key,) = differing
        values = (one.params[key], other.params[key])
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            for entry, value in zip((one, other), values, strict=True):
                swept[f"{key} of {one.task}", entry.corpus, entry.method] = value
    for (sweep, corpus, method), value in swept.items():
        yield sweep, corpus, method, value


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each sweep and target; sizes on a logarithmic axis."""
    require(frame, COLUMNS, "sweeps")
    if frame["mean"].isna().all():
        return style.nothing("no run learned")
    panels = [
        (str(sweep), target, own[own.target == target])
        for sweep, own in frame.groupby("sweep", sort=True)
        for target in style.in_order(own.target)
    ]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    with style.styled():
        figure = style.new(min(55.0 * rows + 16.0, style.MAX_HEIGHT_MM))
        keys: dict[str, Any] = {}
        axes = style.grid(figure, len(panels), columns)
        for index, (sweep, target, own) in enumerate(panels):
            _panel(axes[index], own[own["mean"].notna()], sweep, keys)
            style.title(
                axes[index],
                index,
                style.target_name(target),
                _of(sweep),
                style.left_out(own),
                columns=columns,
            )
            if index % columns == 0:
                axes[index].set_ylabel("macro-F1, 10 labels per type")
        figure.legend(
            list(keys.values()), list(keys), loc="outside lower center", ncols=4, borderpad=0.2
        )
    return figure


def _of(sweep: str) -> str:
    """What a sweep is about, in words."""
    quantity, _, name = sweep.partition(" of ")
    if sweep.startswith(CELLS):
        return f"pre-trained on parts of {style.corpus_name(name)}"
    return f"{style.method_name(name)}, {quantity.replace('_', ' ')}"


def _panel(axes: Axes, own: pd.DataFrame, sweep: str, keys: dict[str, Any]) -> None:
    import seaborn as sns
    from matplotlib.ticker import NullLocator

    # a method that is one setting of many is no line of its own
    by_size = sweep.startswith(CELLS)
    lines = own.method if by_size else own.corpus
    for number, ((mode, name), line) in enumerate(own.groupby([own["mode"], lines], sort=True)):
        tuned = mode == "fine-tuned"
        colour = style.ARM_COLOURS.get(str(name), style.OTHER_PRETEXT) if by_size else style.BLUE
        shown = style.method_name(str(name)) if by_size else f"from {style.corpus_name(str(name))}"
        x = line.x * (1 + 0.02 * number) if by_size else line.x
        axes.vlines(x, line.low, line.high, color=colour, linewidth=0.8)
        sns.lineplot(
            x=x, y=line["mean"], ax=axes, estimator=None, color=colour, linewidth=1.1,
            linestyle="--" if tuned else "-", marker="s" if tuned else "o",
            markerfacecolor="white" if tuned else colour, markeredgecolor=colour,
            markeredgewidth=0.7, zorder=3,
        )  # fmt: skip
        keys.setdefault(f"{shown}, {mode}", axes.get_lines()[-1])
    ticks = sorted(set(own.x))
    if by_size:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [f"{x:,.0f}" if by_size else f"{x:g}" for x in ticks])
    axes.set(xlabel="cells pre-trained on" if by_size else sweep.partition(" of ")[0], ylabel="")
    if len(own):
        style.bounded(axes, list(own["mean"]))
    axes.yaxis.grid(True, color="#EBEBEB", linewidth=0.5)
    axes.set_axisbelow(True)
