"""UMAP of frozen embeddings: each map once by cell type and once by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from selfcell.figures import read_study_table, require, style
from selfcell.keys import generator
from selfcell.tasks.neighbours import nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("target", "corpus", "method", "umap1", "umap2", "label", "batch")
CELLS = 2_000  # per map
MOST = 6  # places that a page has room for
PALETTE = (
    *(style.BLUE, style.ORANGE, style.GREEN, style.RED, style.PURPLE, style.SKY, style.YELLOW),
    *(style.BLACK, "#B0B0B0", "#5C3A21"),
)
# Tol's muted colours: batches must not look like types.
BATCH_PALETTE = (
    *("#332288", "#DDCC77", "#CC6677", "#44AA99", "#882255", "#88CCEE", "#999933", "#AA4499"),
)


def sample(n: int, *key: str) -> np.ndarray:
    """Positions of the cells of a map, at most `CELLS` of `n`, in order; the key fixes them."""
    return np.sort(generator("embedding figure", *key).permutation(n)[:CELLS])


def layout(code_BD: np.ndarray, seed: int) -> np.ndarray:
    """(B, D) embedding to (B, 2) UMAP coordinates, the same for the same seed on one machine.

    Source: McInnes, Healy & Melville (2018) arXiv:1802.03426. Differs: nothing; 15 neighbours,
    minimum distance .3, fewer neighbours where there are fewer cells.
    """
    import warnings

    k = min(15, len(code_BD) - 1)
    # Told its neighbours, umap-learn has less to compile: half of a small map's time.
    index_BK, square_BK = nearest(code_BD, code_BD, k)
    with warnings.catch_warnings():
        # a part of umap-learn that is not used here wants TensorFlow
        warnings.simplefilter("ignore", ImportWarning)
        from umap import UMAP

        # umap-learn warns that a fixed seed means one thread, which is what is wanted
        warnings.filterwarnings("ignore", message="n_jobs value")
        # and that cells which come later could not be placed, which none is
        warnings.filterwarnings("ignore", message="precomputed_knn")
        reducer = UMAP(
            n_neighbors=k, min_dist=0.3, random_state=seed, n_jobs=1,
            precomputed_knn=(index_BK, np.sqrt(square_BK)), force_approximation_algorithm=True,
        )  # fmt: skip
        return np.asarray(reducer.fit_transform(code_BD), dtype=np.float64)


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Coordinates of at most `CELLS` cells of each map.

    Args:
        files: parquet files with the columns of `COLUMNS`, one row a cell.
    """
    return summary(pd.concat([read_study_table(path) for path in files], ignore_index=True))


def summary(cells: pd.DataFrame) -> pd.DataFrame:
    """The needed columns of a fixed sample of each map's cells."""
    require(cells, COLUMNS, "embedding")
    kept = []
    for key, own in cells.groupby(["target", "corpus", "method"], sort=True):
        kept.append(own.iloc[sample(len(own), *key)])
    frame = pd.concat(kept)[list(COLUMNS)].reset_index(drop=True)
    return frame.round({"umap1": 2, "umap2": 2})


def draw(frame: pd.DataFrame) -> Figure:
    """Two maps a row, each by type and by batch, each panel with its own key."""
    require(frame, COLUMNS, "embedding")
    places, rest = style.foremost(style.places(frame), MOST)
    maps = [own for _, _, place in places for own in _maps(place)]
    keys = [max(own.label.nunique(), own.batch.nunique()) for own in maps]
    rows = -(-len(maps) // 2)
    # as many lines of keys as the longest needs, in two columns
    height = 56.0 + 3.0 * -(-min(max(keys), len(PALETTE)) // 2)
    with style.styled():
        figure = style.new(min(height * rows, style.MAX_HEIGHT_MM))
        parts = figure.subfigures(rows, 2, squeeze=False).ravel()
        if rest:
            figure.supxlabel(rest, fontsize=style.SMALL)
        for number, own in enumerate(maps):
            whole = frame[frame.target == own.target.iloc[0]]
            panels = parts[number].subplots(1, 2)
            for position, (column, palette) in enumerate(
                (("label", PALETTE), ("batch", BATCH_PALETTE))
            ):
                axes = panels[position]
                colours = _colours(whole[column], palette)
                _scatter(axes, own, column, colours)
                _titles(axes, 2 * number + position, own, column)
                _key(axes, {name: colours[name] for name in colours if name in set(own[column])})
    return figure


def _maps(own: pd.DataFrame) -> list[pd.DataFrame]:
    """The maps of a place, the masked autoencoder's first."""
    found = [rows for _, rows in own.groupby("method", sort=True)]
    return sorted(found, key=lambda rows: rows.method.iloc[0] != "random_mask")


def _titles(axes: Axes, index: int, own: pd.DataFrame, column: str) -> None:
    target, corpus, method = (own[name].iloc[0] for name in ("target", "corpus", "method"))
    by = "by type" if column == "label" else "by batch"
    second = f"{style.method_name(method)}, {by}"
    style.title(axes, index, style.target_name(target), second)
    axes.set_xlabel(f"learned on {style.corpus_name(corpus)}", fontsize=style.SMALL)


def _colours(values: pd.Series, palette: Sequence[str]) -> dict[str, str]:
    """Values from frequent to rare, each with its colour; more than the palette holds are pale,
    and a single value is grey."""
    count = values.value_counts()
    ordered = sorted(count.index, key=lambda name: (-count[name], str(name)))
    if len(ordered) == 1:
        return {ordered[0]: style.GREY}
    return {n: palette[i] if i < len(palette) else style.PALE for i, n in enumerate(ordered)}


def _scatter(axes: Axes, own: pd.DataFrame, column: str, colours: Mapping[str, str]) -> None:
    import seaborn as sns

    # drawn in random order: no group hides another because it came last
    order = generator("order of points", len(own)).permutation(len(own))
    sns.scatterplot(
        own.iloc[order], x="umap1", y="umap2", hue=column, palette=dict(colours), ax=axes,
        s=2.2, linewidth=0, rasterized=True, legend=False,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_box_aspect(1)


def _key(axes: Axes, colours: Mapping[str, str]) -> None:
    """What the colours of a panel mean, below it; pale ones are summed up."""
    from matplotlib.lines import Line2D

    named = {name: colour for name, colour in colours.items() if colour != style.PALE}
    entries = [(_short(name), colour) for name, colour in named.items()]
    if len(named) < len(colours):
        entries.append((f"{len(colours) - len(named)} others", style.PALE))
    axes.legend(
        handles=[Line2D([], [], color=c, marker="o", linestyle="", label=n) for n, c in entries],
        loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, handletextpad=0.0,
        columnspacing=0.6, labelspacing=0.25, handlelength=1.6, borderpad=0.0,
    )  # fmt: skip


def _short(name: object) -> str:
    text = str(name).replace("_", " ") or "unknown"
    return text if len(text) <= 20 else text[:19] + "…"
