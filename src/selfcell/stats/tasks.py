"""Contrasts of the tasks beside annotation, by its statistics.

Seeds and draws are crossed as there; the test cells are held fixed, which every note says.
Integration has no draws: its seeds alone give intervals, and no arm can be picked blindly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from selfcell.stats import table
from selfcell.stats.arms import Arm, Bench, Side, one, runs
from selfcell.stats.contrasts import CONTRASTS, Spec, corpora, evaluate, judge
from selfcell.stats.paired import common_regimes, pick
from selfcell.stats.plan import MAE, PERMUTED, Contrast, find
from selfcell.stats.predictions import Truth

PRIMARY = {
    "reconstruction": "ev_weighted",
    "protein": "pearson_protein",
    "integrate": "total",
    "unseen": "macro_f1",
}
"""The metric that each task is judged by."""
MARGINS = {"reconstruction": 0.01, "protein": 0.02, "integrate": 0.02, "unseen": 0.02}
"""Difference of that metric that would be too small to matter."""
BOUNDS = (
    *("ceiling", "copy_input", "perfect", "permuted", "majority"),
    *("batch_only", "random_embedding", "logreg_shared"),
)
"""Bounds of a metric, controls, and an arm that is told which genes are missing: no rivals."""


def benches(scores: pd.DataFrame, task: str) -> Iterator[Bench]:
    """The runs of each target of a task; none where the study did not ask for it."""
    if not (scores.task == task).any():
        return
    rows = table.overall(scores, PRIMARY[task], task)
    for target, own in rows.groupby("target", sort=True):
        nobody = np.array([], dtype=object)
        truth = Truth(str(target), [], nobody, nobody, [])
        value, failed = runs(own)
        yield Bench(truth, value, failed, {}, np.empty((0, 0)), PRIMARY[task])


def plan(bench: Bench, corpus: str, controls: Sequence[str]) -> Iterator[Contrast]:
    """Best pre-trained less best simple arm, where draws allow to pick them; fine-tuned less
    scratch; then one readout at a time, the masked autoencoder less each simple arm."""
    family = "secondary" if corpus in controls else "primary"
    trained = [
        arm
        for arm in find(bench, corpus, init="pretrained", mode="frozen")
        if not arm.method.startswith(PERMUTED)
    ]
    simple = [arm for arm in find(bench, mode="baseline") if arm.method not in BOUNDS]
    best = _best(bench, trained, simple) if _several_draws(bench) else None
    if best:
        yield Contrast(family, "best pre-trained - best simple baseline", *best)
    for tuned in find(bench, corpus, mode="fine-tuned", init="pretrained"):
        for scratch in find(bench, method="scratch", readout=tuned.readout):
            name = "MAE" if tuned.method == MAE else tuned.method
            yield Contrast(family, f"{name} fine-tuned - scratch", one(tuned), one(scratch))
    for arm in trained:
        for bar in simple:
            if (arm.method, arm.readout) == (MAE, bar.readout):
                read = "" if arm.readout == "none" else f" {arm.readout}"
                name = f"MAE{read} - {bar.method}{read}"
                yield Contrast("secondary", name, one(arm), one(bar))


def _several_draws(bench: Bench) -> bool:
    every = ((arm, regime) for arm in bench.arms for regime in bench.regimes(arm))
    return any(len(bench.draws(*each)) > 1 for each in every)


def _best(bench: Bench, a: Sequence[Arm], b: Sequence[Arm]) -> tuple[Side, Side] | None:
    """Both sides picked on the other half of the draws; None where an arm is missing."""
    if not a or not b:
        return None
    regimes = common_regimes(bench, (*a, *b))
    sides = ("best pre-trained arm", a), ("best simple baseline", b)
    picked = [pick(bench, name, arms, regimes) for name, arms in sides]
    return picked[0], picked[1]


def task_table(scores: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """Rows of `CONTRASTS` for these tasks, by target and corpus, the metric saying which.

    Holm over the primary contrasts of a target and corpus, Benjamini-Hochberg over the others.
    """
    rows: list[dict[str, object]] = []
    for task, margin in MARGINS.items():
        own = replace(spec, margin=margin)
        for bench in benches(scores, task):
            for corpus in corpora(bench):
                planned = plan(bench, corpus, spec.beside)
                head = {"corpus": corpus, "role": spec.role(bench.truth.target, corpus)}
                found = [evaluate(bench, each, own) | head for each in planned]
                rows += judge(found, own)
    frame = pd.DataFrame(rows, columns=[column.name for column in CONTRASTS.columns])
    return frame.astype({"n_seeds": int, "n_draws": int, "n_failed": int})
