"""Change of F1 of each cell type, types ordered by how often they occur in training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from selfcell.figures import require, style
from selfcell.figures.summary import Roles, roles, with_roles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from selfcell.stats.predictions import Truth

COLUMNS = (
    *("target", "corpus", "role", "comparison", "label", "n_pool", "share"),
    *("difference", "low", "high", "regimes", "n_seeds", "n_draws"),
)
FROZEN, TUNED = "probe − PCA", "fine-tuned − from scratch"
LOOK = {FROZEN: (style.BLUE, "o", -0.14), TUNED: (style.RED, "s", 0.14)}


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Paired change of F1 of each type.

    Args:
        files: the score table, the contrast table, then the split file of each target.
    """
    from selfcell.stats.predictions import read_truths
    from selfcell.stats.table import read

    return summary(read(files[0]), read_truths(files[2:]), roles(files[1]))


def summary(scores: pd.DataFrame, truths: Mapping[str, Truth], known: Roles) -> pd.DataFrame:
    """Masked autoencoder minus its rival for each type: the PCA probe with the better mean
    macro-F1 over all types, and the network from scratch; crossed 95 % intervals."""
    from selfcell.stats.table import of_study

    rows = scores[(scores.task == "annotate") & (scores.metric == "f1") & (scores.status == "ok")]
    rows = of_study(rows)
    found = []
    mae = rows[(rows.method == "random_mask") & ~rows.corpus.map(style.is_control).astype(bool)]
    for (target, corpus), own in mae.groupby(["target", "corpus"], sort=True):
        others = rows[rows.target == target]
        heads = others[others.readout == "head"]  # re-scores of the same network are no runs
        pool = dict(zip(truths[target].classes, truths[target].pool, strict=True))
        for comparison, a, b in (
            (FROZEN, own[own.readout == "probe"], _best_pca(others)),
            (TUNED, own[own.readout == "head"], heads[heads.method == "scratch"]),
        ):
            for row in _changes(a, b):
                n = pool[str(row["label"])]
                share = n / sum(pool.values())
                head = {"target": target, "corpus": corpus, "comparison": comparison}
                found.append({**head, **row, "n_pool": n, "share": share})
    frame = pd.DataFrame(found, columns=[name for name in COLUMNS if name != "role"])
    return with_roles(frame, known)[list(COLUMNS)]


def _best_pca(rows: pd.DataFrame) -> pd.DataFrame:
    is_pca = rows.method.str.split("_").str[0] == "pca"
    pca = rows[is_pca & (rows.readout == "probe") & ~rows.corpus.map(style.is_control).astype(bool)]
    if pca.empty:
        return pca
    method, corpus = pca.groupby(["method", "corpus"]).value.mean().idxmax()
    return pca[(pca.method == method) & (pca.corpus == corpus)]


def _changes(a: pd.DataFrame, b: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """One row a type: runs matched by regime, seed and draw; a seedless rival meets every seed."""
    from selfcell.stats.crossed import crossed
    from selfcell.stats.paired import by_seed_and_draw, sort_regimes

    on = ["label", "regime", "draw"] + (["seed"] if b.seed.nunique() > 1 else [])
    both = a.merge(b[[*on, "value"]], on=on, suffixes=("", "_b"))
    if both.empty:
        return
    both["difference"] = both.value - both.value_b
    regimes = sort_regimes(set(both.regime))
    for label, own in both.groupby("label", sort=True):
        value_SD = by_seed_and_draw(own)
        if not value_SD.size:
            continue
        result = crossed(value_SD)
        low, high = result.interval()
        yield {
            "label": label, "difference": result.mean, "low": low, "high": high,
            "regimes": ",".join(regimes),
            "n_seeds": value_SD.shape[0], "n_draws": value_SD.shape[1],
        }  # fmt: skip


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each target and corpus; types from frequent to rare."""
    require(frame, COLUMNS, "per_type")
    panels = [
        (target, corpus, own)
        for target in style.in_order(frame.target)
        for corpus, own in frame[frame.target == target].groupby("corpus", sort=True)
    ]
    columns = min(len(panels), 2)
    n_types = [own.label.nunique() for _, _, own in panels]
    heights = [max(n_types[i : i + columns]) for i in range(0, len(panels), columns)]
    with style.styled():
        size = sum(4.6 * height + 17 for height in heights) + 10
        figure = style.new(min(size, style.MAX_HEIGHT_MM))
        ratios = {"height_ratios": heights}
        axes = style.grid(figure, len(panels), columns, gridspec_kw=ratios)
        keys: dict[str, Any] = {}
        for index, (target, corpus, own) in enumerate(panels):
            _panel(axes[index], own, keys)
            second = style.learned_on(corpus, own.role.iloc[0])
            style.title(axes[index], index, style.target_name(target), second)
            axes[index].set_xlabel("change in F1")
        figure.legend(
            list(keys.values()), [f"masked autoencoder: {name}" for name in keys],
            loc="outside lower center", ncols=2, borderpad=0.1,
        )  # fmt: skip
    return figure


def _panel(axes: Axes, own: pd.DataFrame, keys: dict[str, Any]) -> None:
    import seaborn as sns

    order = own.drop_duplicates("label").sort_values(["n_pool", "label"], ascending=[False, True])
    place = {label: position for position, label in enumerate(order.label)}
    for comparison, (colour, mark, shift) in LOOK.items():
        rows = own[own.comparison == comparison]
        if rows.empty:
            continue
        y = rows.label.map(place) + (shift if own.comparison.nunique() > 1 else 0.0)
        axes.hlines(y, rows.low, rows.high, color=colour, linewidth=1.0)
        sns.scatterplot(
            x=rows.difference, y=y, ax=axes, color=colour, marker=mark, s=12, linewidth=0, zorder=3
        )
        keys.setdefault(comparison, axes.collections[-1])
    axes.set_ylabel("")
    axes.axvline(0, color="black", linewidth=0.6, zorder=1)
    labels = [
        f"{row.label.replace('_', ' ')}  {row.n_pool:,} ({100 * row.share:.1f} %)"
        for row in order.itertuples()
    ]
    axes.set_yticks(range(len(order)), labels)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.yaxis.grid(True, color="#EFEFEF", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
