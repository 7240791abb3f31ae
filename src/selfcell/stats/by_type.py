"""Change of F1 of each cell type: the masked autoencoder against its two plain rivals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from selfcell.stats.contrasts import Spec
from selfcell.stats.crossed import crossed
from selfcell.stats.paired import by_seed_and_draw, sort_regimes
from selfcell.stats.predictions import Truth
from selfcell.stats.roles import ROLES
from selfcell.stats.schema import Column, Table
from selfcell.stats.table import of_study

FROZEN, TUNED = "probe − PCA", "fine-tuned − from scratch"
TYPE_CHANGES = Table(
    "type_changes",
    (
        *(Column(name) for name in ("target", "corpus")),
        Column("role", allowed=ROLES),
        Column("comparison", allowed=(FROZEN, TUNED)),
        Column("label"),
        Column("n_pool", "integer", minimum=0),
        Column("share", "number", minimum=0),
        Column("difference", "number"),
        *(Column(name, "number", nullable=True) for name in ("low", "high")),
        Column("regimes"),
        *(Column(name, "integer", minimum=1) for name in ("n_seeds", "n_draws")),
        Column("n_failed", "integer", minimum=0),
    ),
    key=("target", "corpus", "comparison", "label"),
)


def changes(scores: pd.DataFrame, truths: Mapping[str, Truth], spec: Spec) -> pd.DataFrame:
    """The table `TYPE_CHANGES`: crossed 95 % intervals of paired differences in F1, by type.

    The rivals are the PCA probe with the better mean macro-F1 over all types, and the network
    from scratch. n_pool and share: cells of the type in the training pool. n_failed: runs of either
    side (a seed, a draw) that have no difference because they failed.
    """
    rows = of_study(scores[(scores.task == "annotate") & (scores.metric == "f1")])
    rows = rows[~rows.corpus.isin(spec.beside)]
    found = []
    mae = rows[rows.method == "random_mask"]
    for (target, corpus), own in mae.groupby(["target", "corpus"], sort=True):
        others = rows[rows.target == target]
        heads = others[others.readout == "head"]  # re-scores of the same network are no runs
        pool = dict(zip(truths[target].classes, truths[target].pool, strict=True))
        head = {"target": target, "corpus": corpus, "role": spec.role(target, corpus)}
        for comparison, a, b in (
            (FROZEN, own[own.readout == "probe"], _best_pca(others)),
            (TUNED, own[own.readout == "head"], heads[heads.method == "scratch"]),
        ):
            bad = sum(_failed(side) for side in (a, b))
            a, b = (side[side.status == "ok"] for side in (a, b))
            for row in _changes(a, b):
                n = pool[str(row["label"])]
                share = n / sum(pool.values())
                size = {"n_pool": n, "share": share, "n_failed": bad}
                found.append({**head, "comparison": comparison, **row, **size})
    return pd.DataFrame(found, columns=list(TYPE_CHANGES.names))


def _failed(side: pd.DataFrame) -> int:
    """Runs of one side of a comparison that failed."""
    bad = side[side.status != "ok"]
    return len(bad[["seed", "regime", "draw"]].drop_duplicates())


def _best_pca(rows: pd.DataFrame) -> pd.DataFrame:
    is_pca = rows.method.str.split("_").str[0] == "pca"
    pca = rows[is_pca & (rows.readout == "probe")]
    if pca.empty:
        return pca
    method, corpus = pca.groupby(["method", "corpus"]).value.mean().idxmax()
    return pca[(pca.method == method) & (pca.corpus == corpus)]


def _changes(a: pd.DataFrame, b: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """One row a type: runs matched by regime, seed and draw; a seedless rival meets every seed."""
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
