"""Scores of every arm on every task, as Markdown tables; from a released study alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from selfcell.catalogue import markdown

if TYPE_CHECKING:
    import pandas as pd


class Task(NamedTuple):
    """A task as the tables show it.

    Attributes:
        name: for readers. regime: the label regime shown. metrics: column heads by metric, the
            primary one first. readouts: those shown, the primary one first. apart: metrics with a
            short table each.
    """

    name: str
    regime: str
    metrics: dict[str, str]
    readouts: tuple[str, ...]
    apart: int = 1


TASKS = {
    "annotate": Task(
        "Cell types, 10 labels per type",
        "10",
        {"macro_f1": "Macro-F1", "micro_f1": "Micro-F1", "balanced_accuracy": "Balanced accuracy"},
        ("probe", "head", "none"),
    ),
    "reconstruction": Task(
        "Gene expression, held-out molecules",
        "none",
        {"ev_weighted": "Explained variance, weighted", "ev_uniform": "uniform", "mse": "MSE"},
        ("ridge", "decoder", "decoder_nb", "none"),
    ),
    "protein": Task(
        "RNA to protein, all training cells",
        "all",
        {"pearson_protein": "Pearson per protein", "spearman_protein": "Spearman", "mse": "MSE"},
        ("ridge", "knn5", "head", "none"),
    ),
    "integrate": Task(
        "Data integration, scIB",
        "none",
        {"bio": "Biology", "batch": "Batches", "total": "Total"},
        ("none",),
        apart=3,
    ),
    "unseen": Task(
        "Unseen data, 30 labels per type of the reference, all genes",
        "30",
        {"macro_f1": "Macro-F1", "micro_f1": "Micro-F1", "balanced_accuracy": "Balanced accuracy"},
        ("probe", "none"),
    ),
}
ABSENT = "–"
# Rows of the short table: what a reader compares first.
FIRST = (
    ("random_mask", "frozen"), ("random_mask", "fine-tuned"), ("scratch", "fine-tuned"),
    ("supervised", "baseline"), ("pca", "baseline"), ("harmony", "baseline"),
    ("logreg", "baseline"), ("logreg_shared", "baseline"),
    ("random_encoder", "baseline"), ("majority", "baseline"), ("gene_mean", "baseline"),
    ("protein_mean", "baseline"), ("ceiling", "baseline"),
)  # fmt: skip


def short(folder: Path) -> str:
    """The arms compared first, by task and target: primary metrics with their 95 % intervals."""
    from selfcell.stats.table import read

    scores, parts = read(folder / "scores.parquet"), []
    for task, shown in TASKS.items():
        for metric, head in list(shown.metrics.items())[: shown.apart]:
            rows = _arms(scores, task, metric)
            if not rows.empty:
                table = _compared(rows, shown.readouts)
                parts.append(f"*{shown.name}: {head} [95 %]*\n\n{table}")
    return "\n\n".join(parts)


def _compared(rows: pd.DataFrame, readouts: Sequence[str]) -> str:
    """The table of the arms compared first, from means and intervals of one metric."""
    places, lines = _places(rows), []
    for method, mode in FIRST:
        own = rows[(rows.method == method) & (rows["mode"] == mode)]
        for origin in ("", "own pool", "the corpus"):
            found = [_primary(own, place, origin, readouts) for place in places]
            if set(found) != {ABSENT}:
                lines.append([_arm(method, mode, origin), *found])
    return markdown(["Arm", *(_place_name(place) for place in places)], lines)


def _primary(
    own: pd.DataFrame, place: tuple[str, str], origin: str, readouts: Sequence[str]
) -> str:
    """An arm in one column; of several readouts the first one, whichever scores better.

    Args:
        own: the arm's rows. place: target and corpus of the column. origin: what the arm learned
            from beside the labels: "" for a network of the column or nothing, else for a baseline.
    """
    target, corpus = place
    here = own[(own.target == target) & own["mean"].notna()]
    baseline = here["mode"] == "baseline"
    if origin:
        here = here[baseline & (here.corpus == {"own pool": "own_pool"}.get(origin, corpus))]
    else:
        elsewhere = here.corpus.isin(["none"]) | ((here.corpus == corpus) & ~baseline)
        here = here[elsewhere]
    return ABSENT if here.empty else _value(here.loc[here.readout.map(readouts.index).idxmin()])


def full(folder: Path) -> str:
    """Every arm, task and metric of a study, the best first within a target."""
    from selfcell.stats.table import read

    scores, parts = read(folder / "scores.parquet"), []
    for task, shown in TASKS.items():
        tables = {metric: _arms(scores, task, metric) for metric in shown.metrics}
        rows = tables[next(iter(tables))]
        if rows.empty:
            continue
        on = ["target", "corpus", "method", "init", "mode", "readout"]
        others = {m: t.set_index(on) for m, t in tables.items()}
        lines = []
        for row in rows.sort_values(["target", "mean"], ascending=[True, False]).itertuples():
            key = tuple(getattr(row, name) for name in on)
            values = [
                _value(others[m].loc[key]) if key in others[m].index else ABSENT for m in others
            ]
            lines.append([_target(row.target), _arm(row.method, row.mode, row.corpus),
                          row.readout, f"{row.n_seeds} × {row.n_draws}", *values])  # fmt: skip
        heads = ["Target", "Arm", "Readout", "Seeds × draws", *shown.metrics.values()]
        table = markdown(heads, lines)
        parts.append(f"<details><summary>{shown.name}</summary>\n\n{table}\n\n</details>")
    return "\n\n".join(parts)


def _arms(scores: pd.DataFrame, task: str, metric: str) -> pd.DataFrame:
    """Means and intervals of the arms of a task; empty where the study does not hold it."""
    from selfcell.figures.summary import arm_summary
    from selfcell.stats.table import overall

    shown = TASKS[task]
    rows = scores[(scores.task == task) & (scores.regime == shown.regime)]
    rows = rows[rows.readout.isin(shown.readouts) & (rows.metric == metric)]
    return rows if rows.empty else arm_summary(overall(rows, metric, task))


def _places(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Target and corpus of each column, control corpora apart."""
    from selfcell.figures import style

    trained = rows[rows.init == "pretrained"]
    found = set(zip(trained.target, trained.corpus, strict=True))
    order = style.in_order(rows.target)
    known = [place for place in found if not style.is_control(place[1])]
    return sorted(known, key=lambda place: (order.index(place[0]), place[1]))


def _value(row: Any) -> str:
    if row["mean"] != row["mean"]:
        return "did not learn"
    text = f"{row['mean']:.3f}"
    if row["low"] == row["low"]:
        text += f" [{row['low']:.3f}, {row['high']:.3f}]"
    return text.replace("-", "−")


def _arm(method: str, mode: str, corpus: str) -> str:
    from selfcell.figures import style

    end = f", {style.corpus_name(corpus)}" if corpus not in ("", "none") else ""
    words = "" if mode == "baseline" or method.startswith("scratch") else f", {mode}"
    return style.method_name(method) + words + end


def _place_name(place: tuple[str, str]) -> str:
    from selfcell.figures import style

    return f"{_target(place[0])}, from {style.corpus_name(place[1])}"


def _target(name: str) -> str:
    from selfcell.figures import style

    return style.target_name(name)
