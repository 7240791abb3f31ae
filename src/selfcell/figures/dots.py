"""Arms below each other, measures side by side: what the figures of the other tasks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from selfcell.figures import style
from selfcell.figures.summary import ARM, arm_summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("metric", *ARM, "mean", "low", "high", "n_seeds", "n_draws", "n_failed", "n_test")
ROW_MM = 3.3
MOST = 3  # targets that a page has room for
# Colour and mark of where an arm learned, beside labels.
SIMPLE = (style.BLACK, "s")
OTHERS = [colour for colour in style.CORPUS_COLOURS if colour != style.BLACK]
CORPORA = tuple(zip(OTHERS, "o^DvP<>*ph", strict=True))


def summary(scores: pd.DataFrame, task: str, metrics: Sequence[str]) -> pd.DataFrame:
    """Mean and crossed 95 % interval of every arm of a task, for some overall metrics; no row
    where the study did not ask for the task."""
    from selfcell.stats.table import overall

    if not (scores.task == task).any():
        return pd.DataFrame(columns=list(COLUMNS))
    parts = [arm_summary(overall(scores, metric, task)).assign(metric=metric) for metric in metrics]
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def draw(frame: pd.DataFrame, metrics: Mapping[str, str], cells: str = "test cells") -> Figure:
    """A row of panels for each target, a panel for each metric, a line for each arm.

    Args:
        frame: of `summary`, the arms that are drawn. metrics: axis title by metric.
        cells: what the cells are that the arms were scored on.
    """
    targets = style.in_order(frame.target)
    rest = len(targets[MOST:])
    targets = targets[:MOST]
    looks = _looks(frame)
    rows = {target: _rows(frame[frame.target == target]) for target in targets}
    sizes = [len(rows[target]) for target in targets]
    with style.styled():
        height = sum(ROW_MM * size + 15 for size in sizes) + 8
        figure = style.new(min(height, style.MAX_HEIGHT_MM))
        panels = figure.subplots(
            len(targets), len(metrics), sharey="row", squeeze=False,
            gridspec_kw={"height_ratios": [size + 2 for size in sizes]},
        )  # fmt: skip
        for line, target in zip(panels, targets, strict=True):
            own = frame[frame.target == target]
            for axes, (metric, words) in zip(line, metrics.items(), strict=True):
                _panel(axes, own[own.metric == metric], rows[target], looks)
                axes.set_xlabel(words)
            line[0].set_yticks(range(len(rows[target])), rows[target])
            line[0].set_ylim(len(rows[target]) - 0.4, -0.6)
            second = f"{int(own.n_test.max()):,} {cells}"
            style.title(line[0], targets.index(target), style.target_name(target), second)
        _legend(figure, looks, set(frame.corpus[frame["mean"].notna()]), rest)
    return figure


def _rows(own: pd.DataFrame) -> list[str]:
    """Names of the arms of a target: pre-trained ones first, then the others, by name."""
    named = own.assign(name=own.apply(arm, axis=1), simple=own.init != "pretrained")
    return list(named.sort_values(["simple", "name"]).name.drop_duplicates())


def arm(row: Any) -> str:
    """An arm without its corpus: method, and what is special of its use."""
    if row.method.startswith(style.PERMUTED):
        return "permuted programmes, each"
    words = {"fine-tuned": ", fine-tuned"}.get(row["mode"], "")
    if row.method.startswith("scratch"):
        words = ""
    reads = {"decoder": ", own decoder", "decoder_nb": ", negative binomial", "knn5": ", 5-NN"}
    own = reads.get(row.readout, "")
    return style.method_name(row.method) + words + own


def _looks(frame: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Look of each corpus that networks were pre-trained on, control corpora last."""
    trained = set(frame.corpus[frame.init == "pretrained"])
    known = sorted(trained, key=lambda name: (style.is_control(name), name))
    return {name: CORPORA[number % len(CORPORA)] for number, name in enumerate(known)}


def _panel(
    axes: Axes, own: pd.DataFrame, rows: Sequence[str], looks: Mapping[str, tuple[str, str]]
) -> None:
    import seaborn as sns

    named = own.assign(place=own.apply(arm, axis=1).map(rows.index))
    corpora = [name for name in looks if name in set(own.corpus[own.init == "pretrained"])]
    for corpus in [*corpora, ""]:
        simple = named.init != "pretrained"
        part = named[simple] if not corpus else named[~simple & (named.corpus == corpus)]
        colour, mark = looks[corpus] if corpus else SIMPLE
        step = min(0.24, 0.8 / max(len(corpora), 1))  # all of a row nearer to it than to the next
        shift = step * (corpora.index(corpus) - (len(corpora) - 1) / 2) if corpus else 0.0
        known = part[part["mean"].notna()]
        y = known.place + shift
        axes.hlines(y, known.low, known.high, color=colour, linewidth=0.9)
        sns.scatterplot(
            x=known["mean"], y=y, ax=axes, color=colour, marker=mark, s=11, linewidth=0, zorder=3
        )
    axes.set_ylabel("")
    axes.yaxis.grid(True, color="#EFEFEF", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)


def _legend(
    figure: Figure, looks: Mapping[str, tuple[str, str]], learned: set[str], rest: int
) -> None:
    entries = [
        (f"{style.learned_on(name)}{'' if name in learned else ': did not learn'}", *look)
        for name, look in looks.items()
    ]
    entries.append(("without pre-training", *SIMPLE))
    style.legend(figure, entries, 2, f"{rest} more targets in the table" if rest else None)
