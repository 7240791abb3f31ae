"""Should I pre-train? The gain by labels, corpus and target, each cell with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from selfcell.figures import require, style
from selfcell.figures.summary import REGIMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("target", "corpus", "role", "n_cells", "comparison", "regime", "difference", "low", "high"),
    *("verdict", "sde", "margin", "n_seeds", "n_draws", "n_failed"),
)
# Primary contrasts that come regime by regime, and words.
COMPARISONS = {
    "MAE probe - best PCA probe": "frozen: probe − best PCA probe",
    "MAE fine-tuned - scratch": "fine-tuned − from scratch",
}
WIDEST = 0.15  # macro-F1; larger differences have the strongest colour
ROW_MM = 8.5
STRONG = ("better", "worse", "equivalent")


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Contrasts of single regimes.

    Args:
        files: the contrast table, then `model.json` of one model of each corpus.
    """
    import json

    from selfcell.errors import intact
    from selfcell.stats.contrasts import CONTRASTS

    cells = {}
    for path in files[1:]:
        with intact(path):
            corpus = json.loads(Path(path).read_text(encoding="utf-8"))["corpus"]
        cells[corpus["name"]] = int(corpus["n_train"])
    return summary(CONTRASTS.read(files[0]), cells)


def summary(contrasts: pd.DataFrame, cells: Mapping[str, int]) -> pd.DataFrame:
    """A row for each comparison, target, corpus and regime.

    Args:
        cells: training cells of each corpus; 0 stands for one that is not here.
    """
    parts = contrasts.name.str.extract(r"^(?P<comparison>.+) at (?P<regime>\d+|all)$")
    rows = contrasts.assign(**parts, n_cells=contrasts.corpus.map(cells).fillna(0).astype(int))
    rows = rows[rows.comparison.isin(list(COMPARISONS))]
    rows = rows[~rows.corpus.map(style.is_control).astype(bool)]
    order = ["target", "corpus", "comparison", "regime"]
    return rows[list(COLUMNS)].sort_values(order, kind="stable").reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each comparison; rows: target and corpus, columns: labels per type."""
    require(frame, COLUMNS, "gain_map")
    size = dict(zip(frame.corpus, frame.n_cells, strict=True))
    places = [
        (target, corpus)
        for target in style.in_order(frame.target)
        for corpus in sorted(set(frame.corpus[frame.target == target]), key=lambda c: (size[c], c))
    ]
    role = {(row.target, row.corpus): row.role for row in frame.itertuples()}
    panels = [name for name in COMPARISONS if (frame.comparison == name).any()]
    regimes = {name: _regimes(frame[frame.comparison == name]) for name in panels}
    with style.styled():
        figure = style.new(min(ROW_MM * len(places) + 26, style.MAX_HEIGHT_MM))
        ratios = [len(regimes[name]) for name in panels]
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False, width_ratios=ratios)[0]
        for index, (name, one) in enumerate(zip(panels, axes, strict=True)):
            _panel(one, frame[frame.comparison == name], places, regimes[name])
            style.title(one, index, COMPARISONS[name])
            one.set_xlabel("labelled cells per type")
        labels = [
            f"{style.target_name(target)}, {style.origin(corpus, role[(target, corpus)])}"
            + (f"\n{size[corpus]:,} cells" if size[corpus] else "")
            for target, corpus in places
        ]
        axes[0].set_yticks(np.arange(len(places)) + 0.5, labels)
    return figure


def _regimes(own: pd.DataFrame) -> list[str]:
    return [regime for regime in REGIMES if (own.regime == regime).any()]


def _panel(
    axes: Axes, own: pd.DataFrame, places: Sequence[tuple[str, str]], regimes: Sequence[str]
) -> None:
    import seaborn as sns

    level_PR = np.full((len(places), len(regimes)), np.nan)
    text_PR = np.full(level_PR.shape, "", dtype=object)
    bold: set[str] = set()
    for row in own.itertuples():
        x, y = regimes.index(str(row.regime)), places.index((row.target, row.corpus))
        if pd.isna(row.difference):
            text_PR[y, x] = "did not learn" if row.n_failed else "not run"
        else:
            level_PR[y, x] = max(-1.0, min(1.0, row.difference / WIDEST))
            text_PR[y, x] = f"{row.difference:+.3f}\n{row.verdict}".replace("-", "−")
            bold |= {text_PR[y, x]} if row.verdict in STRONG else set()
    # Purple to orange is told apart by every eye; its dark ends would hide the numbers.
    sns.heatmap(
        np.nan_to_num(level_PR), vmin=-2, vmax=2, cmap="PuOr_r", cbar=False, ax=axes,
        linewidths=1.0, linecolor="white", annot=text_PR, fmt="", xticklabels=regimes,
        yticklabels=False,
        annot_kws={"fontsize": style.SMALL, "color": "black", "linespacing": 1.15},
    )  # fmt: skip
    for text in axes.texts:
        text.set_fontweight("bold" if text.get_text() in bold else "normal")
    axes.tick_params(length=0, rotation=0)
