"""UMAP of frozen embeddings: each map once by cell type and once by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from selfcell.figures import require, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("target", "corpus", "method", "umap1", "umap2", "label", "batch")
CELLS = 2_000  # per map
PALETTE = (
    *(style.BLUE, style.ORANGE, style.GREEN, style.RED, style.PURPLE, style.SKY, "#B8A800"),
    *("#000000", "#8C564B", "#9D9D9D", "#5254A3", "#B5CF6B", "#E377C2", "#637939"),
)
# Tol's muted colours: batches must not look like types.
BATCH_PALETTE = (
    *("#332288", "#DDCC77", "#CC6677", "#44AA99", "#882255", "#88CCEE", "#999933", "#AA4499"),
)


def layout(code_BD: np.ndarray, seed: int) -> np.ndarray:
    """(B, D) embedding to (B, 2) UMAP coordinates, the same for the same seed on one machine.

    Source: McInnes, Healy & Melville (2018) arXiv:1802.03426. Differs: nothing; 15 neighbours,
    minimum distance .3, fewer neighbours where there are fewer cells.
    """
    import warnings

    with warnings.catch_warnings():
        # a part of umap-learn that is not used here wants TensorFlow
        warnings.simplefilter("ignore", ImportWarning)
        from umap import UMAP

        # umap-learn warns that a fixed seed means one thread, which is what is wanted
        warnings.filterwarnings("ignore", message="n_jobs value")
        reducer = UMAP(
            n_neighbors=min(15, len(code_BD) - 1), min_dist=0.3, random_state=seed, n_jobs=1
        )
        return np.asarray(reducer.fit_transform(code_BD), dtype=np.float64)


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Coordinates of at most `CELLS` cells of each map.

    Args:
        files: parquet files with the columns of `COLUMNS`, one row a cell.
    """
    return summary(pd.concat([pd.read_parquet(path) for path in files], ignore_index=True))


def summary(cells: pd.DataFrame) -> pd.DataFrame:
    """The needed columns of a fixed sample of each map's cells."""
    from selfcell.rng import generator

    require(cells, COLUMNS, "embedding")
    kept = []
    for key, own in cells.groupby(["target", "corpus", "method"], sort=True):
        rng = generator("embedding figure", *key)
        rows = np.sort(rng.permutation(len(own))[:CELLS])
        kept.append(own.iloc[rows])
    frame = pd.concat(kept)[list(COLUMNS)].reset_index(drop=True)
    return frame.round({"umap1": 2, "umap2": 2})


def draw(frame: pd.DataFrame) -> Figure:
    """A row of panels for two maps of a target, each by type and then by batch."""
    require(frame, COLUMNS, "embedding")
    rows = []
    for target in style.in_order(frame.target):
        own = frame[frame.target == target]
        colours = {
            "label": _colours(own.label, PALETTE),
            "batch": _colours(own.batch, BATCH_PALETTE),
        }
        maps = _maps(own)
        rows += [(maps[i : i + 2], colours) for i in range(0, len(maps), 2)]
    columns = 2 * max(len(maps) for maps, _ in rows)
    with style.styled():
        height = 47.0 if columns == 4 else 66.0
        figure = style.new(min(height * len(rows), style.MAX_HEIGHT_MM))
        parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
        index = 0
        for part, (maps, colours) in zip(parts, rows, strict=True):
            panels = part.subplots(1, columns, squeeze=False)[0]
            for spare in panels[2 * len(maps) :]:
                spare.set_visible(False)
            for position, own in enumerate(maps):
                for axes, column in zip(panels[2 * position :], colours, strict=False):
                    _scatter(axes, own, column, colours[column])
                    _titles(axes, index, own, column)
                    index += 1
            _legend(part, colours)
    return figure


def _maps(own: pd.DataFrame) -> list[pd.DataFrame]:
    """The maps of a target, the masked autoencoder's first."""
    found = [rows for _, rows in own.groupby(["corpus", "method"], sort=True)]
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
    from selfcell.rng import generator

    # drawn in random order: no group hides another because it came last
    order = generator("order of points", len(own)).permutation(len(own))
    axes.scatter(
        own.umap1.to_numpy()[order], own.umap2.to_numpy()[order],
        c=[colours[value] for value in own[column].to_numpy()[order]],
        s=2.2, linewidths=0, rasterized=True,
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_box_aspect(1)


def _legend(part: Any, colours: Mapping[str, Mapping[str, str]]) -> None:
    """The key of types and of batches of a row, on its right."""
    from matplotlib.lines import Line2D

    handles = []
    for head, column in (("type", "label"), ("batch", "batch")):
        handles.append(Line2D([], [], linestyle="", label=head))
        handles += [
            Line2D([], [], color=colour, marker="o", linestyle="", label=_short(name))
            for name, colour in colours[column].items()
        ]
    legend = part.legend(
        handles=handles, loc="outside right center", handletextpad=0.1, labelspacing=0.25
    )
    for text in legend.get_texts():
        if text.get_text() in ("type", "batch"):
            text.set_fontweight("bold")


def _short(name: object) -> str:
    text = str(name).replace("_", " ") or "unknown"
    return text if len(text) <= 20 else text[:19] + "…"
