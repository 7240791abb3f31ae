"""Macro-F1 against labelled cells per type, a panel for each target and corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from selfcell.figures import require, style
from selfcell.figures.summary import REGIMES, Roles, arm_summary, roles, with_roles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("target", "corpus", "role", "method", "arm_corpus", "init", "mode", "readout", "regime"),
    *("mean", "low", "high", "n_seeds", "n_draws", "n_failed", "n_test"),
)
MOST = 6  # places that a page has room for
# Baselines drawn in every panel, with their line style; the colour is the arm's own.
RIVALS = {"pca": "-", "logreg": "-", "random_encoder": ":", "random_projection": "--"}
# Controls of programme masking: never "the best other pretext task".
CONTROLS = ("gene_programme_permuted", "random_mask_matched")


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Mean macro-F1 of each arm, with its crossed 95 % interval.

    Args:
        files: the score table and the contrast table.
    """
    from selfcell.stats.table import overall, read

    return summary(overall(read(files[0]), "macro_f1"), roles(files[1]))


def summary(scores: pd.DataFrame, known: Roles) -> pd.DataFrame:
    """A row for each arm and regime in each panel; arms without a corpus join every panel."""
    arms = arm_summary(scores)
    arms = arms[arms.readout.isin(["probe", "head", "none"])]
    panels = arms.loc[arms.init == "pretrained", ["target", "corpus"]].drop_duplicates()
    rows = []
    for target, corpus in panels.itertuples(index=False):
        if style.is_control(corpus):
            continue
        own = arms[arms.target == target]
        keep = own.corpus.isin([corpus, f"{corpus}_shuffled"])
        rows.append(own[keep | (own.init != "pretrained")].assign(panel=corpus))
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    frame = pd.concat(rows).rename(columns={"corpus": "arm_corpus", "panel": "corpus"})
    frame = with_roles(frame, known)[list(COLUMNS)]
    return frame.sort_values(list(COLUMNS[:9]), kind="stable")


def draw(frame: pd.DataFrame) -> Figure:
    """Panels with a line per arm; of the pretexts without a colour of their own the best."""
    require(frame, COLUMNS, "label_efficiency")
    if frame["mean"].isna().all():
        return style.nothing("no run learned")
    panels, rest = style.foremost(style.places(frame), MOST)
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    with style.styled():
        figure = style.new(min(62.0 * rows + 20.0, style.MAX_HEIGHT_MM))
        axes = style.grid(figure, len(panels), columns)
        keys: dict[str, Any] = {}
        for index, (target, corpus, own) in enumerate(panels):
            learned = own[own["mean"].notna()]
            if len(learned):
                _panel(axes[index], learned, keys)
            n_test = int(own.n_test.max())
            second = f"{style.learned_on(corpus, own.role.iloc[0])}; {n_test:,} test cells"
            style.title(
                axes[index],
                index,
                style.target_name(target),
                second,
                style.left_out(own),
                columns=columns,
            )
            if index % columns == 0:
                axes[index].set_ylabel("macro-F1 on test cells")
            if index + columns >= len(panels):
                axes[index].set_xlabel("labelled cells per type")
        figure.legend(
            list(keys.values()), list(keys), loc="outside lower center", ncols=4, borderpad=0.2,
            title=rest,
        )  # fmt: skip
    return figure


def _panel(axes: Axes, own: pd.DataFrame, keys: dict[str, Any]) -> None:
    regimes = [regime for regime in REGIMES if regime in set(own.regime)]
    place = {regime: position for position, regime in enumerate(regimes)}
    frozen = own[(own.init == "pretrained") & (own["mode"] == "frozen")]
    is_control = frozen.arm_corpus.map(style.is_control).astype(bool)
    pretexts, control = frozen[~is_control], frozen[is_control & (frozen.method == "random_mask")]
    named = _best_other(pretexts)
    for offset, (method, line_style) in enumerate(RIVALS.items()):
        rival = _best_corpus(own[own.method.map(_family) == method])
        if len(rival):
            colour = style.ARM_COLOURS[method]
            line = _line(axes, rival, place, colour, line_style, 0.05 * (offset - 3))
            keys.setdefault(style.method_name(method) + (", best" if method == "pca" else ""), line)
    if len(control):
        line = _line(axes, control, place, style.BLUE, ":", 0.0, face="white")
        keys.setdefault("masked autoencoder, genes shuffled", line)
    _draw_pretexts(axes, pretexts, named, place, keys)
    _draw_tuned(axes, own[own["mode"] == "fine-tuned"], place, keys)
    axes.set_xticks(range(len(regimes)), regimes)
    axes.set_xlim(-0.4, len(regimes) - 0.5)
    means = [np.asarray(line.get_ydata(), float) for line in axes.get_lines()]
    style.bounded(axes, np.concatenate(means).tolist())
    axes.yaxis.grid(True, color="#EBEBEB", linewidth=0.5)
    axes.set_axisbelow(True)


def _draw_pretexts(
    axes: Axes,
    pretexts: pd.DataFrame,
    named: Sequence[str],
    place: dict[str, int],
    keys: dict[str, Any],
) -> None:
    for shift, method in zip((0.05, 0.1, 0.15), [*named, "random_mask"], strict=False):
        chosen = pretexts[pretexts.method == method]
        if chosen.empty:
            continue
        colour = style.ARM_COLOURS.get(method, style.OTHER_PRETEXT)
        line = _line(axes, chosen, place, colour, "-", shift)
        known = method in style.ARM_COLOURS
        label = style.method_name(method) if known else "best other pretext task"
        keys.setdefault(f"{label}, frozen", line)
        if not known:
            axes.text(
                0.98, 0.03, f"best other: {style.method_name(method)}", transform=axes.transAxes,
                ha="right", va="bottom", color="#2A7FB0", fontsize=style.SMALL,
            )  # fmt: skip


def _draw_tuned(
    axes: Axes, tuned: pd.DataFrame, place: dict[str, int], keys: dict[str, Any]
) -> None:
    for offset, method in enumerate(sorted(set(tuned.method))):
        colour = style.ARM_COLOURS.get(method, style.OTHER_PRETEXT)
        face = colour if method == "scratch" else "white"
        rows = tuned[tuned.method == method]
        line = _line(axes, rows, place, colour, "--", 0.2 + 0.05 * offset, face=face, mark="s")
        end = "" if method.startswith("scratch") else ", fine-tuned"
        keys.setdefault(style.method_name(method) + end, line)


def _line(
    axes: Axes,
    rows: pd.DataFrame,
    place: dict[str, int],
    colour: str,
    line_style: str,
    shift: float,
    *,
    face: str | None = None,
    mark: str = "o",
) -> Any:
    import seaborn as sns

    x = rows.regime.map(place) + shift
    axes.vlines(x, rows.low, rows.high, color=colour, linewidth=0.8)
    sns.lineplot(
        x=x, y=rows["mean"], ax=axes, estimator=None, color=colour, linestyle=line_style,
        linewidth=1.1, marker=mark, markerfacecolor=face or colour, markeredgecolor=colour,
        markeredgewidth=0.7, zorder=3,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    return axes.get_lines()[-1]


def _best_other(pretexts: pd.DataFrame) -> list[str]:
    """Programme masking, and the best pretext that has no colour of its own."""
    means = pretexts.groupby("method")["mean"].mean()
    fixed = [method for method in ("gene_programme",) if method in means.index]
    free = [m for m in means.index if m not in style.ARM_COLOURS and not m.startswith(CONTROLS)]
    return [*fixed, *sorted(free, key=lambda method: -means[method])[:1]]


def _best_corpus(rows: pd.DataFrame) -> pd.DataFrame:
    """One line for an arm in several variants or on several corpora: the one with the best mean."""
    if rows.empty:
        return rows
    means = rows.groupby(["method", "arm_corpus", "readout"])["mean"].mean()
    method, corpus, readout = means.idxmax()
    same = (rows.arm_corpus == corpus) & (rows.readout == readout)
    return rows[same & (rows.method == method)]


def _family(method: str) -> str:
    """PCA on other genes is still PCA; any other method is its own family."""
    return "pca" if method.startswith("pca_") else method
