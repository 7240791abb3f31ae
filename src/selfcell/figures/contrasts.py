"""The headline: every primary contrast with its interval, verdict and detectable effect, and the
secondary ones below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from selfcell.figures import require, style
from selfcell.figures.names import CORPUS_NAMES, METHOD_NAMES
from selfcell.stats.roles import PART

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("target", "corpus", "role", "family", "name", "regimes", "n_seeds", "n_draws", "difference"),
    *("low", "high", "low90", "high90", "p_adjusted", "sde", "margin", "verdict", "n_failed"),
    "note",
)
MARKS = {
    "better": (">", style.BLUE),
    "worse": ("<", style.RED),
    "equivalent": ("s", style.GREEN),
    "undecided": ("o", style.GREY),
    "not run": ("x", style.PALE),
}
MOST = 5  # pairs of target and corpus that the lower row has room for
WIDEST = 0.15  # macro-F1; differences beyond it are written, with an arrow at the edge
# Secondary contrasts that the table keeps and the figure leaves out.
LEFT_OUT = r" at (?:\d+|all)$|knn\d|prototype - | - MAE probe$"


def table(files: Sequence[Path]) -> pd.DataFrame:
    """The contrasts that are drawn.

    Args:
        files: the contrast table alone.
    """
    from selfcell.stats.contrasts import CONTRASTS

    return summary(CONTRASTS.read(files[0]))


def summary(contrasts: pd.DataFrame) -> pd.DataFrame:
    """Primary contrasts, and the secondary ones averaged over their regimes."""
    secondary = contrasts.family == "secondary"
    hidden = secondary & contrasts.name.str.contains(LEFT_OUT)
    hidden |= contrasts.corpus.map(style.is_control).astype(bool) | (contrasts.role == PART)
    return contrasts.loc[~hidden, list(COLUMNS)].reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """Forest plot: primary contrasts by target on top, secondary ones side by side below."""
    require(frame, COLUMNS, "contrasts")
    places = [(target, corpus) for target, corpus, _ in style.places(frame)]
    primary, secondary = (frame[frame.family == name] for name in ("primary", "secondary"))
    below, rest = style.foremost(style.places(secondary), MOST)
    names = list(dict.fromkeys(secondary.name.sort_values(key=lambda n: n.map(_rank))))
    top = 4.6 * (len(primary) + len(places)) + 14
    bottom = 4.0 * len(names) + 26 if names else 0
    scale = min(1.0, style.MAX_HEIGHT_MM / (top + bottom))
    with style.styled():
        figure = style.new(scale * (top + bottom))
        heights = [top, bottom] if bottom else [top]
        parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        forest, words = parts[0].subplots(1, 2, width_ratios=[1, 1.3], sharey=True)
        _draw_primary(forest, words, primary, places)
        if bottom:
            panels = parts[1].subplots(1, len(below), sharey=True, squeeze=False)[0]
            _draw_secondary(panels, below, names)
            _legend(figure, frame, rest)
    return figure


def _draw_primary(
    axes: Axes, words: Axes, rows: pd.DataFrame, places: Sequence[tuple[str, str]]
) -> None:
    limits = _limits(rows)
    y, ticks, heads = 0.0, [], []
    labels: list[str] = []
    for target, corpus in places:
        own = rows[(rows.target == target) & (rows.corpus == corpus)]
        if own.empty:
            continue
        heads.append(len(labels))
        ticks.append(y)
        labels.append(f"{style.target_name(target)}, {style.origin(corpus, own.role.iloc[0])}")
        for row in own.sort_values("name", key=lambda n: n.map(_rank)).itertuples():
            y += 1
            ticks.append(y)
            labels.append(_words(str(row.name)))
            _interval(axes, row, y, limits, size=4.0)
            _columns(words, row, y)
        y += 1.25
    axes.set_yticks(ticks, labels)
    for place in heads:
        axes.get_yticklabels()[place].set_fontweight("bold")
    axes.set_ylim(max(y, 1) - 0.5, -0.8)
    _finish(axes, limits, rows, 4)
    axes.set_xlabel("difference in macro-F1 (first minus second)")
    words.set_xlim(0, 1)
    words.set_axis_off()
    for x, text in COLUMN_HEADS:
        words.annotate(text, (x, 1.0), xycoords="axes fraction", va="bottom", fontsize=style.SMALL)
    style.letter(axes, 0, 5.0)


# Place and heading of the text columns beside the forest plot.
COLUMN_HEADS = ((0.02, "difference [95 % interval]"), (0.50, "verdict"), (0.80, "detectable"))


def _columns(words: Axes, row: Any, y: float) -> None:
    known = pd.notna(row.difference)
    number = f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]" if known else "–"
    detectable = f"{row.sde:.3f}" if known else "–"
    failed = f", {row.n_failed} failed" if row.n_failed else ""
    colours = ("black", MARKS[row.verdict][1], "black")
    texts = (number, f"{row.verdict}{failed}", detectable)
    for (x, _), text, colour in zip(COLUMN_HEADS, texts, colours, strict=True):
        words.text(
            x, y, text.replace("-", "−"), fontsize=style.SMALL, va="center", color=colour
        )  # fmt: skip


def _draw_secondary(
    panels: Sequence[Axes],
    parts: Sequence[tuple[str, str, pd.DataFrame]],
    names: Sequence[str],
) -> None:
    place = {name: position for position, name in enumerate(names)}
    for index, ((target, corpus, own), axes) in enumerate(zip(parts, panels, strict=True)):
        limits = _limits(own)
        for row in own.itertuples():
            _interval(axes, row, place[str(row.name)], limits, size=3.2)
        axes.set_yticks(range(len(names)), [_words(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        _finish(axes, limits, own, 2)
        heads = style.target_name(target), f"from {style.corpus_name(corpus)}"
        style.title(axes, index + 1, *heads, narrow=len(parts) > 3)
        axes.yaxis.grid(True, color="#EFEFEF", linewidth=0.5)
    panels[len(panels) // 2].set_xlabel("difference in macro-F1")


def _legend(figure: Figure, frame: pd.DataFrame, rest: str | None) -> None:
    """The mark of each verdict that the figure shows, and what had no room."""
    drawn = frame[frame.difference.notna()]
    used = [verdict for verdict in MARKS if (drawn.verdict == verdict).any()]
    style.legend(figure, [(name, MARKS[name][1], MARKS[name][0]) for name in used], 5, rest)


def _interval(axes: Axes, row: Any, y: float, limits: tuple[float, float], size: float) -> None:
    import seaborn as sns

    mark, colour = MARKS[row.verdict]
    if pd.isna(row.difference):
        # No pair of runs to compare: say why.
        why = "did not learn" if row.n_failed else "not run"
        axes.text(
            0.5, y, why, transform=axes.get_yaxis_transform(), fontsize=style.SMALL,
            color=style.GREY, va="center", ha="center",
        )  # fmt: skip
        return
    if limits[0] <= row.difference <= limits[1]:
        if row.low < row.high:
            axes.hlines(y, *(row.low, row.high), color=colour, linewidth=1.2)
        sns.scatterplot(
            x=[row.difference], y=[y], ax=axes, marker=mark, color=colour, s=size**2, linewidth=0,
            zorder=3,
        )  # fmt: skip
        return
    # off the scale: an arrow at the edge, and the number
    side = int(row.difference > 0)
    sign = 1 if side else -1
    axes.annotate(
        f"{row.difference:+.2f}".replace("-", "−"),
        (limits[side], y), xytext=(-14 * sign, 0), textcoords="offset points",
        ha="right" if side else "left", va="center", fontsize=style.SMALL, color=colour,
        bbox={"facecolor": "white", "linewidth": 0, "pad": 0.5},  # it may lie on the line at zero
        arrowprops={
            "arrowstyle": "-|>", "color": colour, "lw": 1.0, "mutation_scale": 6, "shrinkA": 0,
            "shrinkB": 0,
        },
    )  # fmt: skip


def _finish(axes: Axes, limits: tuple[float, float], rows: pd.DataFrame, ticks: int) -> None:
    from matplotlib.ticker import MaxNLocator

    margin = float(rows.margin.max()) if len(rows) else 0.0
    axes.axvspan(-margin, margin, color="#EDEDED", linewidth=0, zorder=0)
    axes.axvline(0, color="black", linewidth=0.6, zorder=1)
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 3, 4, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis: every interval of a difference up to `WIDEST`, or of all where most
    differences are wider."""
    known = rows[rows.difference.notna()]
    shown = known[known.difference.abs() < WIDEST]
    shown = shown if 2 * len(shown) >= len(known) else known
    # a difference that falls inside the ends anyway brings its interval along
    shown = known[known.difference.between(1.08 * shown.low.min(), 1.08 * shown.high.max())]
    low, high = shown[["low", "difference"]].min(), shown[["high", "difference"]].max()
    ends = [0.0 if pd.isna(value) else float(value) for value in (low.min(), high.max())]
    return 1.08 * min(ends[0], -0.03), 1.08 * max(ends[1], 0.03)


def _rank(name: str) -> tuple[int, str]:
    """Order of the rows: fine-tuned, MAE, programmes, then the other pretexts."""
    starts = ("MAE fine-tuned", "MAE probe", "programmes")
    first = next((i for i, start in enumerate(starts) if name.startswith(start)), len(starts))
    return first, name


def _words(name: str) -> str:
    """A contrast's name with the methods' names for readers and a real minus sign."""
    left, _, right = name.partition(" - ")
    for known in sorted(METHOD_NAMES, key=len, reverse=True):
        left = left.replace(f"{known} ", f"{METHOD_NAMES[known]} ")
        right = METHOD_NAMES[known] if right == known else right
    for corpus in sorted(CORPUS_NAMES, key=len, reverse=True):
        right = right.replace(f"MAE of {corpus}", f"MAE, {CORPUS_NAMES[corpus]}")
    return f"{left} − {right}".replace("best PCA probe", "PCA")
