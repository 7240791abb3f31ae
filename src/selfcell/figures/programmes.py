"""The programme control: programme masking against permuted programmes and a matched rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from selfcell.figures import require, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("target", "corpus", "role", "against", "regimes", "difference", "low", "high"),
    *("n_seeds", "n_draws", "n_failed", "verdict", "margin"),
)
GENE_PROGRAMME = "gene_programme"
# Names in the contrast table, and words.
CONTRASTS = {
    "programmes - permuted programmes": "mean of the permutations",
    "programmes - matched random mask": "random mask, matched rate",
    "gene_programme probe - MAE probe": "random mask, half the genes",
}
EACH = "permutation {}"
LOOK = {True: (style.PURPLE, "o"), False: (style.GREY, "D")}  # contrast, or one permutation


def table(files: Sequence[Path]) -> pd.DataFrame:
    """The control's contrasts, and each permutation by itself.

    Args:
        files: the score table and the contrast table.
    """
    from selfcell.stats.contrasts import CONTRASTS as TABLE
    from selfcell.stats.table import overall, read

    return summary(overall(read(files[0]), "macro_f1"), TABLE.read(files[1]))


def summary(scores: pd.DataFrame, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Differences of the frozen probe: contrasts as they are, and programme masking minus each
    permutation, paired by regime, seed and draw (crossed interval, test cells held fixed, no
    verdict)."""
    known = contrasts[contrasts.name.isin(list(CONTRASTS))]
    rows = known.assign(against=known.name.map(CONTRASTS)).to_dict("records")
    probes = scores[(scores["mode"] == "frozen") & (scores.readout == "probe")]
    for row in known[known.name == next(iter(CONTRASTS))].to_dict("records"):
        own = probes[(probes.target == row["target"]) & (probes.corpus == row["corpus"])]
        head = {key: row[key] for key in ("target", "corpus", "role", "margin")}
        rows += [head | each for each in _each(own)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _each(own: pd.DataFrame) -> Iterator[dict[str, Any]]:
    from selfcell.stats.crossed import crossed
    from selfcell.stats.paired import by_seed_and_draw, sort_regimes

    on = ["regime", "seed", "draw"]
    ok = own[own.status == "ok"]
    programmes = ok[ok.method == GENE_PROGRAMME]
    for method in sorted(name for name in set(own.method) if name.startswith(style.PERMUTED)):
        both = programmes.merge(ok[ok.method == method], on=on, suffixes=("", "_b"))
        both["difference"] = both.value - both.value_b
        value_SD = by_seed_and_draw(both)
        row: dict[str, Any] = {
            "against": EACH.format(method.removeprefix(style.PERMUTED).strip("_")).strip(),
            "regimes": ",".join(sort_regimes(set(both.regime))), "verdict": "",
            "n_failed": int((own.status[own.method == method] != "ok").sum()),
            "n_seeds": 0, "n_draws": 0,
        }  # fmt: skip
        if value_SD.size:
            result = crossed(value_SD)
            low, high = result.interval()
            row |= {"difference": result.mean, "low": low, "high": high}
            row |= {"n_seeds": value_SD.shape[0], "n_draws": value_SD.shape[1]}
        yield row


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each target and corpus, the same rows in all."""
    require(frame, COLUMNS, "programmes")
    panels = style.places(frame)
    rows = [*CONTRASTS.values(), *sorted(set(frame.against) - set(CONTRASTS.values()))]
    rows = [name for name in rows if name in set(frame.against)]
    columns = min(len(panels), 3)
    lines = -(-len(panels) // columns)
    with style.styled():
        height = lines * (4.6 * len(rows) + 20) + 4
        figure = style.new(min(height, style.MAX_HEIGHT_MM))
        axes = style.grid(figure, len(panels), columns, sharey=True)
        for index, (target, corpus, own) in enumerate(panels):
            _panel(axes[index], own, rows)
            second = style.origin(corpus, own.role.iloc[0])
            style.title(axes[index], index, style.target_name(target), second)
            axes[index].set_xlabel("difference in macro-F1")
        axes[0].set_yticks(range(len(rows)), [f"minus {name}" for name in rows])
        axes[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure


def _panel(axes: Axes, own: pd.DataFrame, rows: Sequence[str]) -> None:
    import seaborn as sns

    margin = float(own.margin.max())
    axes.axvspan(-margin, margin, color="#EDEDED", linewidth=0, zorder=0)
    axes.axvline(0, color="black", linewidth=0.6, zorder=1)
    for contrast, (colour, mark) in LOOK.items():
        part = own[(own.against.isin(list(CONTRASTS.values())) == contrast)]
        known = part[part.difference.notna()]
        y = known.against.map(rows.index)
        axes.hlines(y, known.low, known.high, color=colour, linewidth=1.2)
        sns.scatterplot(
            x=known.difference, y=y, ax=axes, color=colour, marker=mark, s=14, linewidth=0, zorder=3
        )
        for row in part[part.difference.isna()].itertuples():
            axes.text(
                0.5, rows.index(row.against), "did not learn" if row.n_failed else "not run",
                transform=axes.get_yaxis_transform(), fontsize=style.SMALL, color=style.GREY,
                va="center", ha="center",
            )  # fmt: skip
    axes.set_ylabel("")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=4)
