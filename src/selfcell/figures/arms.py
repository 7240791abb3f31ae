"""Micro- and macro-F1 of the arms that the paper compares: every run is a point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from selfcell.figures import require, style
from selfcell.figures.summary import Roles, roles, with_roles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("target", "corpus", "role", "arm", "metric", "regime", "seed", "draw", "value", "status"),
    "n_test",
)
CORPUS = ""  # of an arm: that of the panel
# Arms from top to bottom: name, method, corpus, mode, readout, colour.
ARMS = (
    ("random encoder, frozen", "random_encoder", "none", "baseline", "probe", style.BLACK),
    ("PCA of the pool", "pca", "own_pool", "baseline", "probe", style.GREEN),
    ("masked autoencoder, frozen", "random_mask", CORPUS, "frozen", "probe", style.BLUE),
    ("programme masking, frozen", "gene_programme", CORPUS, "frozen", "probe", style.PURPLE),
    ("from scratch", "scratch", "none", "fine-tuned", "head", style.RED),
    ("masked autoencoder, fine-tuned", "random_mask", CORPUS, "fine-tuned", "head", style.BLUE),
)
METRICS = {"macro_f1": "macro-F1", "micro_f1": "micro-F1"}
REGIME = "10"  # in which frozen and fine-tuned arms both have several draws
MOST = 6  # places that a page has room for


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Every run of the arms.

    Args:
        files: the score table and the contrast table.
    """
    from selfcell.stats.table import read

    return summary(read(files[0]), roles(files[1]))


def summary(scores: pd.DataFrame, known: Roles) -> pd.DataFrame:
    """A row for each run and metric at `REGIME` labels per type, failed ones with their status;
    arms without a corpus join each corpus of their target."""
    from selfcell.stats.table import of_study

    rows = scores[(scores.task == "annotate") & (scores.level == "overall")]
    rows = of_study(rows[rows.metric.isin(list(METRICS)) & (rows.regime == REGIME)])
    trained = rows[(rows.init == "pretrained") & ~rows.corpus.map(style.is_control).astype(bool)]
    found = []
    for target, corpus in sorted(set(zip(trained.target, trained.corpus, strict=True))):
        own = rows[rows.target == target]
        for name, method, of, mode, readout, _ in ARMS:
            part = own[(own.method == method) & (own.corpus == (of or corpus))]
            part = part[(part["mode"] == mode) & (part.readout == readout)]
            found.append(part.assign(arm=name, corpus=corpus))
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    frame = with_roles(pd.concat(found, ignore_index=True), known)
    order = ["target", "corpus", "arm", "metric", "seed", "draw"]
    return frame[list(COLUMNS)].sort_values(order, kind="stable").reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A row for each target and corpus, a panel for each metric; boxes hold the middle half."""
    require(frame, COLUMNS, "arms")
    places, rest = style.foremost(style.places(frame), MOST)
    metrics = [name for name in METRICS if (frame.metric == name).any()]
    with style.styled():
        figure = style.new(min(34.0 * len(places) + 8, style.MAX_HEIGHT_MM))
        panels = figure.subplots(len(places), len(metrics), sharey="row", squeeze=False)
        for index, (target, corpus, own) in enumerate(places):
            names = [arm[0] for arm in ARMS if (own.arm == arm[0]).any()]
            for axes, metric in zip(panels[index], metrics, strict=True):
                _panel(axes, own[own.metric == metric], names)
                axes.set_xlabel(METRICS[metric])
            panels[index][0].set_yticks(range(len(names)), [_label(own, name) for name in names])
            panels[index][0].set_ylim(len(names) - 0.4, -0.6)
            second = style.learned_on(corpus, own.role.iloc[0])
            second += f"; {int(own.n_test.max()):,} test cells"
            style.title(panels[index][0], index, style.target_name(target), second)
        if rest:
            figure.supxlabel(rest, fontsize=style.SMALL)
    return figure


def _label(own: pd.DataFrame, arm: str) -> str:
    """An arm with its number of runs, and of failed ones."""
    runs = own[(own.arm == arm) & (own.metric == own.metric.iloc[0])]
    failed = int((runs.status != "ok").sum())
    return f"{arm}  {len(runs)}" + (f", {failed} failed" if failed else "")


def _panel(axes: Axes, own: pd.DataFrame, names: Sequence[str]) -> None:
    import seaborn as sns

    ok = own[own.status == "ok"]
    palette = {name: colour for name, *_, colour in ARMS}
    axes.boxplot(
        [ok.value[ok.arm == name] for name in names], positions=range(len(names)), widths=0.62,
        orientation="horizontal", whis=0.0, showfliers=False, showcaps=False, patch_artist=True,
        boxprops={"facecolor": "#F2F2F2", "edgecolor": "#404040", "linewidth": 0.7},
        medianprops={"color": "#404040"}, whiskerprops={"linewidth": 0.0},
    )  # fmt: skip
    for place, name in enumerate(names):
        part = ok[ok.arm == name]
        # seeds above each other, so that a seed that stands apart is seen
        shift = 0.16 * (part.seed - part.seed.mean())
        sns.scatterplot(
            x=part.value, y=place + shift, ax=axes, color=palette[name], s=6, linewidth=0, zorder=3
        )
    axes.set_ylabel("")
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=5)
