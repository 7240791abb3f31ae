"""Unseen data: accuracy against the share of genes that are missing or misnamed there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from selfcell.figures import require, style
from selfcell.figures.pretexts import CONTROL, LOOK
from selfcell.figures.summary import ARM, arm_summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("kind", "share", *ARM, "mean", "low", "high"),
    *("n_seeds", "n_draws", "n_failed", "n_test"),
)
EMPTY = "the study asked for no unseen data"
WORDS = {"removed": "genes removed", "renamed": "genes under wrong names"}
READOUTS = ("probe", "none")
HIDDEN = ("perfect", "permuted")  # controls whose line is the same at every share
LINES = {"logreg_shared": "--", "random_encoder": ":", "majority": ":"}
CORPUS_LINES = ("-", "--", "-.", ":")
OWN = {"logreg_shared": style.ORANGE, "byol": style.SKY}  # as orange is the classifiers'
SPREAD = 0.008  # shares between arms, so that intervals stand apart


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Mean macro-F1 of every arm at every share of genes.

    Args:
        files: the score table alone.
    """
    from selfcell.stats.table import of_study, read

    return summary(of_study(read(files[0])))


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """A row for each kind, share and arm, with the crossed 95 % interval; whole genes stand in
    both kinds at share 0."""
    rows = scores[(scores.task == "unseen") & (scores.metric == "macro_f1")]
    found = []
    for (level, label), own in rows.groupby(["level", "label"], sort=True):
        whole = level == "overall"
        kind, _, share = str(label).partition(" ")
        for name in WORDS if whole else [kind]:
            found.append(arm_summary(own).assign(kind=name, share=0.0 if whole else float(share)))
    frame = pd.concat(found) if found else pd.DataFrame(columns=list(COLUMNS))
    order = ["target", "kind", "method", "corpus", "readout", "share"]
    return frame[list(COLUMNS)].sort_values(order, kind="stable").reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A row for each target: genes removed, genes under wrong names."""
    require(frame, COLUMNS, "unseen")
    frame = frame[frame.readout.isin(READOUTS) & ~frame.method.isin(HIDDEN)]
    targets = style.in_order(frame.target)
    keys: dict[str, Any] = {}
    with style.styled():
        figure = style.new(min(62.0 * len(targets) + 24.0, style.MAX_HEIGHT_MM))
        panels = figure.subplots(len(targets), len(WORDS), sharey="row", squeeze=False)
        for line, target in zip(panels, targets, strict=True):
            own = frame[frame.target == target]
            for axes, (kind, words) in zip(line, WORDS.items(), strict=True):
                place = targets.index(target) * len(WORDS) + list(WORDS).index(kind)
                part = own[own.kind == kind]
                second = f"{words}; {int(part.n_test.max()):,} test cells"
                style.title(
                    axes,
                    place,
                    style.target_name(target),
                    second,
                    style.left_out(part),
                    columns=len(WORDS),
                )
                _panel(axes, part[part["mean"].notna()], keys)
                axes.set_xlabel(f"share of the shared genes that is {kind}")
            line[0].set_ylabel("macro-F1")
        figure.legend(
            list(keys.values()), list(keys), loc="outside lower center", ncols=3, borderpad=0.2
        )
    return figure


def _panel(axes: Axes, own: pd.DataFrame, keys: dict[str, Any]) -> None:
    import seaborn as sns

    arms = list(own.groupby(["init", "method", "corpus"], sort=True))
    corpora: dict[str, int] = {}  # of a method, so far: each has its line
    for number, ((init, method, corpus), line) in enumerate(arms):
        colour, mark = LOOK.get(str(method), (style.OTHER_PRETEXT, "s"))
        colour = (style.ARM_COLOURS | OWN).get(str(method), colour)
        name, where = style.method_name(str(method)), ""
        if str(method).startswith(style.PERMUTED):
            (colour, mark), name = CONTROL, "permuted programmes, each"
        if init == "pretrained":
            where = f", from {style.corpus_name(str(corpus))}"
        of = corpora[method] = corpora.get(method, -1) + 1
        x = line.share + SPREAD * (number - (len(arms) - 1) / 2)
        axes.vlines(x, line.low, line.high, color=colour, linewidth=0.8)
        sns.lineplot(
            x=x, y=line["mean"], ax=axes, estimator=None, color=colour, linewidth=1.1,
            linestyle=LINES.get(str(method), CORPUS_LINES[of % len(CORPUS_LINES)]), marker=mark,
            markersize=4, markeredgewidth=0, zorder=3,
        )  # fmt: skip
        keys.setdefault(name + where, axes.get_lines()[-1])
    ticks = np.unique(own.share.to_numpy())
    axes.set_xticks(ticks, [f"{share:g}" for share in ticks])
    axes.set(xlabel="", ylabel="")
    if len(own):
        style.bounded(axes, list(own["mean"]))
    axes.yaxis.grid(True, color="#EBEBEB", linewidth=0.5)
    axes.set_axisbelow(True)
