"""Small tables of integration and of unseen data, for figures; from the score table alone."""

from __future__ import annotations

import pandas as pd

from selfcell.stats.table import of_study

ARM = ["target", "corpus", "method", "init", "mode", "readout"]


def integration(scores: pd.DataFrame) -> pd.DataFrame:
    """Columns `ARM`, every metric of integration (bio, batch and total among them) and n_seeds.

    Means over the seeds that ended "ok"; no row where the study did not ask for the task.
    """
    rows = _ok(scores, "integrate")
    values = rows.pivot_table("value", ARM, "metric", aggfunc="mean")
    return values.assign(n_seeds=rows.groupby(ARM).seed.nunique()).reset_index()


def unseen(scores: pd.DataFrame) -> pd.DataFrame:
    """Columns `ARM`, kind ("removed", "renamed"), share of the genes, genes_shared, every metric
    of annotation, and n_runs: accuracy against the share of genes, 0 standing under both kinds.

    Means over the seeds and draws that ended "ok".
    """
    rows = _ok(scores, "unseen")
    kinds = sorted({label.split()[0] for label in rows.label if label})
    whole = [rows[rows.label == ""].assign(label=f"{kind} 0") for kind in kinds]
    rows = pd.concat([rows[rows.label != ""], *whole])
    parts = rows.label.str.split(expand=True).reindex(columns=[0, 1])
    rows = rows.assign(kind=parts[0], share=parts[1].astype(float))
    place = [*ARM, "kind", "share"]
    values = rows.pivot_table("value", place, "metric", aggfunc="mean")
    runs = rows.drop_duplicates([*place, "seed", "draw"]).groupby(place).size()
    return values.assign(n_runs=runs).reset_index()


def _ok(scores: pd.DataFrame, task: str) -> pd.DataFrame:
    return of_study(scores[(scores.task == task) & (scores.status == "ok")])
