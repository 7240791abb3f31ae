"""Which types are taken for which: from scratch, pre-trained, and the difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from selfcell.figures import require, style
from selfcell.figures.summary import REGIMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from selfcell.stats.predictions import Truth

COLUMNS = ("target", "corpus", "regime", "arm", "true", "predicted", "share", "n_true", "n_runs")
SCRATCH, TUNED = "from scratch", "pre-trained, fine-tuned"
METHODS = {"scratch": SCRATCH, "random_mask": TUNED}
KEYS = ["target", "corpus", "method", "regime", "seed", "draw"]
MOST = 12  # types that still leave room for a number in each cell
PANELS = 3  # targets that a page has room for


def table(files: Sequence[Path]) -> pd.DataFrame:
    """Mean confusion matrices.

    Args:
        files: the predictions, the score table, then the split file of each target.
    """
    from selfcell.errors import intact
    from selfcell.stats.predictions import read_truths
    from selfcell.stats.table import overall, read

    with intact(files[0]):
        heads = [("readout", "==", "head"), ("method", "in", list(METHODS))]
        predictions = pd.read_parquet(files[0], filters=heads)
    return summary(predictions, overall(read(files[1]), "macro_f1"), read_truths(files[2:]))


def summary(
    predictions: pd.DataFrame, scores: pd.DataFrame, truths: Mapping[str, Truth]
) -> pd.DataFrame:
    """Share of each true type's cells by predicted type, mean over the runs that are ok, in the
    last label regime in which both arms ran."""
    heads = scores[(scores.readout == "head") & (scores.status == "ok")]
    own = predictions[(predictions.readout == "head") & predictions.method.isin(list(METHODS))]
    own = own.merge(heads[KEYS], on=KEYS)
    rows: list[dict[str, Any]] = []
    tuned = own[own.method == "random_mask"]
    for (target, corpus), found in tuned.groupby(["target", "corpus"], sort=True):
        bar = own[(own.target == target) & (own.method == "scratch")]
        shared = set(found.regime) & set(bar.regime)
        if not shared:
            continue
        regime = max(shared, key=REGIMES.index)
        for arm, runs in ((SCRATCH, bar), (TUNED, found)):
            head = {"target": target, "corpus": corpus, "regime": regime, "arm": arm}
            part = runs[runs.regime == regime]
            rows += [head | each for each in _cells(part.predicted, truths[str(target)])]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _cells(runs: pd.Series, truth: Truth) -> Iterator[dict[str, Any]]:
    n = len(truth.classes)
    pair_RN = [truth.code_N.astype(int) * n + np.asarray(codes, int) for codes in runs]
    count_CC = np.bincount(np.concatenate(pair_RN), minlength=n * n).reshape(n, n)
    true_C = np.bincount(truth.code_N, minlength=n)
    for i, j in np.ndindex(n, n):
        yield {
            "true": truth.classes[i], "predicted": truth.classes[j],
            "share": count_CC[i, j] / (len(runs) * true_C[i]),
            "n_true": int(true_C[i]), "n_runs": len(runs),
        }  # fmt: skip


def draw(frame: pd.DataFrame) -> Figure:
    """Three panels for each target and corpus: both arms and the difference, in per cent."""
    require(frame, COLUMNS, "confusion")
    places, rest = style.foremost(style.places(frame), PANELS)
    with style.styled():
        figure = style.new(min(72.0 * len(places), style.MAX_HEIGHT_MM))
        parts = figure.subfigures(len(places), 1, squeeze=False)[:, 0]
        for index, (target, corpus, own) in enumerate(places):
            panels = parts[index].subplots(1, 3, sharey=True)
            order = own.drop_duplicates("true").sort_values(["n_true", "true"], ascending=False)
            names = list(order.true)
            arms = [_matrix(own[own.arm == arm], names) for arm in (SCRATCH, TUNED)]
            for axes, values, head in zip(
                panels, [*arms, arms[1] - arms[0]], (SCRATCH, TUNED, "difference"), strict=True
            ):
                _panel(axes, values, names, signed=head == "difference")
                axes.set_xlabel(f"predicted: {head}")
            counts = [f"{_short(row.true)}  {row.n_true:,}" for row in order.itertuples()]
            panels[0].set_yticks(np.arange(len(names)) + 0.5, counts)
            words = f"{style.learned_on(corpus)}; labels: {own.regime.iloc[0]}"
            style.title(panels[0], index, style.target_name(target), words)
        if rest:
            figure.supxlabel(rest, fontsize=style.SMALL)
    return figure


def _matrix(own: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """(C, C) per cent, rows true, columns predicted."""
    wide = own.pivot_table("share", "true", "predicted").reindex(index=names, columns=names)
    return 100.0 * wide.to_numpy(float)


def _panel(axes: Axes, value_CC: np.ndarray, names: Sequence[str], *, signed: bool) -> None:
    import seaborn as sns

    # Colours end where the numbers on top would no longer be read.
    place_CC = 0.5 + 0.25 * np.clip(value_CC / 40, -1, 1) if signed else 0.6 * value_CC / 100
    form = "{:+.0f}" if signed else "{:.0f}"
    said = np.vectorize(lambda x: form.format(x).replace("-", "−") if abs(x) >= 0.5 else "")
    sns.heatmap(
        place_CC, vmin=0, vmax=1, cmap="PuOr_r" if signed else "Blues", cbar=False, ax=axes,
        rasterized=True, annot=said(value_CC) if len(names) <= MOST else None, fmt="",
        annot_kws={"fontsize": style.SMALL, "color": "black"}, yticklabels=False,
        xticklabels=[_short(name) for name in names],
    )  # fmt: skip
    axes.tick_params(axis="x", rotation=90)
    axes.tick_params(length=0)


def _short(name: object) -> str:
    text = str(name).replace("_", " ")
    return text if len(text) <= 18 else text[:17] + "…"
