"""All pretext tasks side by side: frozen probe against labels per type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from selfcell.figures import label_efficiency, require, style
from selfcell.figures.summary import REGIMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from selfcell.figures.summary import Roles

COLUMNS = label_efficiency.COLUMNS
CONTROL = (style.GREY, "D")
# Colour and mark of each pretext task; one that is not here takes the next spare pair.
LOOK = {
    "random_mask": (style.BLUE, "o"),
    "gene_programme": (style.PURPLE, "o"),
    "gp_to_gp": (style.PURPLE, "s"),
    "gp_to_tf": (style.PURPLE, "^"),
    "byol": (style.ORANGE, "o"),
    "simsiam": (style.ORANGE, "s"),
    "barlow_twins": (style.GREEN, "o"),
    "vicreg": (style.GREEN, "s"),
    "simclr": (style.RED, "o"),
    "random_mask_matched": (style.BLACK, "v"),
}
SPARE = tuple((colour, mark) for mark in "XP*hd" for colour in (style.SKY, "#B8A800", "#8C564B"))
WIDTH = 0.8  # of a regime's place, shared by the methods


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Mean macro-F1 of each frozen pretext task, with its crossed 95 % interval.

    Args:
        files: the score table and the contrast table.
    """
    from selfcell.figures.summary import roles
    from selfcell.stats.table import overall, read

    return summary(overall(read(files[0]), "macro_f1"), roles(files[1]))


def summary(scores: pd.DataFrame, known: Roles) -> pd.DataFrame:
    """The pre-trained, frozen rows of `label_efficiency.summary`, control corpora apart."""
    rows = label_efficiency.summary(scores, known)
    kept = (rows.init == "pretrained") & (rows["mode"] == "frozen") & (rows.readout == "probe")
    return rows[kept & (rows.arm_corpus == rows.corpus)].reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each target and corpus on which there is more than one task, else for each."""
    require(frame, COLUMNS, "pretexts")
    if frame["mean"].isna().all():
        return style.nothing("no run learned")
    seen = looks(frame.method)
    panels = style.places(frame)
    several = [panel for panel in panels if panel[2].method.nunique() > 1]
    panels = several or panels
    with style.styled():
        figure = style.new(min(50.0 * len(panels) + 26.0, style.MAX_HEIGHT_MM))
        keys: dict[str, Any] = {}
        for index, (target, corpus, own) in enumerate(panels):
            axes = figure.add_subplot(len(panels), 1, index + 1)
            learned = own[own["mean"].notna()]
            if len(learned):
                _panel(axes, learned, seen, keys)
            n_test = int(own.n_test.max())
            second = f"{style.learned_on(corpus, own.role.iloc[0])}; {n_test:,} test cells"
            style.title(axes, index, style.target_name(target), second, style.left_out(own))
            axes.set_ylabel("macro-F1 of the frozen probe")
        axes.set_xlabel("labelled cells per type")
        figure.legend(
            list(keys.values()), list(keys), loc="outside lower center", ncols=5, borderpad=0.2
        )
    return figure


def looks(methods: pd.Series) -> dict[str, tuple[str, str]]:
    """Methods in the order they are drawn, controls of programme masking last."""
    present = set(methods)
    permuted = sorted(name for name in present if name.startswith(style.PERMUTED))
    known = [name for name in LOOK if name in present]
    other = sorted(present - {*LOOK, *permuted})
    spare = {name: SPARE[number % len(SPARE)] for number, name in enumerate(other)}
    return {
        **{name: LOOK[name] for name in known},
        **spare,
        **dict.fromkeys(permuted, CONTROL),
    }


def _panel(
    axes: Axes, own: pd.DataFrame, looks: dict[str, tuple[str, str]], keys: dict[str, Any]
) -> None:
    import seaborn as sns

    regimes = [regime for regime in REGIMES if regime in set(own.regime)]
    place = {regime: position for position, regime in enumerate(regimes)}
    for number, (method, (colour, mark)) in enumerate(looks.items()):
        rows = own[own.method == method]
        if rows.empty:
            continue
        x = rows.regime.map(place) + WIDTH * ((number + 0.5) / len(looks) - 0.5)
        axes.vlines(x, rows.low, rows.high, color=colour, linewidth=0.8)
        sns.scatterplot(
            x=x, y=rows["mean"], ax=axes, color=colour, marker=mark, s=12, linewidth=0, zorder=3
        )
        is_permuted = method.startswith(style.PERMUTED)
        label = "permuted programmes, each" if is_permuted else style.method_name(method)
        keys.setdefault(label, axes.collections[-1])
    for edge in range(len(regimes) - 1):
        axes.axvline(edge + 0.5, color="#EBEBEB", linewidth=0.6, zorder=0)
    axes.set_xticks(range(len(regimes)), regimes)
    axes.set_xlim(-0.5, len(regimes) - 0.5)
    axes.set_xlabel("")
    style.bounded(axes, list(own["mean"]))
    axes.yaxis.grid(True, color="#EBEBEB", linewidth=0.5)
    axes.set_axisbelow(True)
