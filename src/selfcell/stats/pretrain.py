"""Should I pre-train? One answer for each target and corpus, with its price."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from selfcell.errors import DataError
from selfcell.stats import equivalence
from selfcell.stats.arms import Arm, Bench
from selfcell.stats.contrasts import Spec, benches, corpora
from selfcell.stats.crossed import Estimate
from selfcell.stats.paired import common_regimes, conditions, estimate, pair, pick
from selfcell.stats.plan import PERMUTED
from selfcell.stats.predictions import Truth
from selfcell.stats.roles import ROLES
from selfcell.stats.schema import Column, Table

# Bounds of a metric, which nobody could use to annotate.
CONTROLS = ("perfect", "permuted", "random_embedding")
SCOPES = ("frozen", "all arms")
READY = "one ready model, on its own genes; whether it saw these cells in training is not known"
VERDICTS = Table(
    "verdicts",
    (
        *(Column(name) for name in ("target", "corpus")),
        Column("role", allowed=ROLES),
        *(Column(name) for name in ("scope", "regimes")),
        *(Column(name) for name in ("best_pretrained", "best_without")),
        *(
            Column(name, "number", nullable=True)
            for name in ("difference", "low", "high", "low90", "high90", "sde", "cpu_s")
        ),
        Column("answer", allowed=("yes", "no", "undecided")),
        Column("shared_variance", "number", minimum=0, nullable=True),
        Column("note", empty=True),
    ),
    key=("target", "corpus", "scope"),
)


def answer(result: Estimate, margin: float) -> str:
    """ "yes" if the 95 % lower bound is above the margin, "no" if the 90 % upper bound is below
    it (equivalent or worse: a gain worth the name is excluded), otherwise "undecided"."""
    if result.interval(0.95)[0] > margin:
        return "yes"
    return "no" if result.interval(0.90)[1] < margin else "undecided"


def verdict_table(
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    costs: pd.DataFrame,
    shared: pd.DataFrame,
    truths: Mapping[str, Truth],
    spec: Spec,
) -> pd.DataFrame:
    """The best pre-trained arm minus the best arm without pre-training, by target and corpus.

    Both are picked on the other half of the draws (`paired.pick`). Scope "frozen" compares
    readouts of frozen embeddings and simple baselines over every regime they share; scope
    "all arms" adds fine-tuned networks and from-scratch ones, over the fewer regimes and draws
    that those ran. `cpu_s` is the median processor time of one pre-training run.
    `shared_variance` stands beside the answer and has no part in it: of the variance of the test
    cells that 50 principal axes of the target's own training side explain, the share that 50 of
    the corpus do; at least 0, near 1 where the corpus varies as the target does. No label is read
    for it; that it foretells the answer is a hypothesis. Of a ready model neither is known.

    Raises DataError: `shared` lacks a target and corpus that the scores hold.
    """
    index = dict(
        zip(zip(shared.target, shared.corpus, strict=True), shared.shared_variance, strict=True)
    )
    rows = [
        _described(row, index, spec)
        for bench in benches(scores, predictions, truths, spec)
        for corpus in corpora(bench)
        if corpus not in spec.beside
        for scope in SCOPES
        for row in _rows(bench, corpus, scope, costs, spec)
    ]
    return pd.DataFrame(rows, columns=VERDICTS.names)


def _described(
    row: dict[str, object], index: Mapping[tuple[str, str], float], spec: Spec
) -> dict[str, object]:
    target, corpus = str(row["target"]), str(row["corpus"])
    if corpus in spec.ready:
        note = "; ".join(filter(None, (str(row["note"]), READY)))
        return row | {"shared_variance": math.nan, "note": note}
    if (target, corpus) not in index:
        raise DataError(
            f"no shared variance of target {target!r} and corpus {corpus!r}",
            "the table of the same study",
            "delete shared_variance.parquet and run again",
        )
    return row | {"shared_variance": index[target, corpus]}


def _candidates(bench: Bench, corpus: str, scope: str) -> tuple[list[Arm], list[Arm]]:
    with_it, without = [], []
    for arm in bench.arms:
        if arm.mode == "fine-tuned" and scope == "frozen":
            continue
        if arm.init == "pretrained":
            if arm.corpus == corpus and not arm.method.startswith(PERMUTED):
                with_it.append(arm)
        elif arm.init != "supervised" and arm.method not in CONTROLS:
            without.append(arm)
    return with_it, without


def _rows(
    bench: Bench, corpus: str, scope: str, costs: pd.DataFrame, spec: Spec
) -> Iterator[dict[str, object]]:
    with_it, without = _candidates(bench, corpus, scope)
    tuned = any(arm.mode == "fine-tuned" for arm in with_it)
    if not with_it or not without or (scope == "all arms" and not tuned):
        return
    arms = _widest(bench, [*with_it, *without])
    with_it, without = [a for a in with_it if a in arms], [a for a in without if a in arms]
    if not with_it or not without:
        return
    regimes = common_regimes(bench, arms)
    a = pick(bench, "best pre-trained arm", with_it, regimes)
    b = pick(bench, "best arm without pre-training", without, regimes)
    paired = pair(bench, a, b, regimes)
    if paired is None or paired.difference_SD.size == 0:
        return
    result = estimate(bench, paired)
    (low, high), (low90, high90) = result.interval(0.95), result.interval(0.90)
    yield {
        "target": bench.truth.target,
        "corpus": corpus,
        "role": spec.role(bench.truth.target, corpus),
        "scope": scope,
        "regimes": ",".join(paired.regimes),
        "best_pretrained": " | ".join(map(str, a.arms)),
        "best_without": " | ".join(map(str, b.arms)),
        "difference": result.mean,
        "low": low,
        "high": high,
        "low90": low90,
        "high90": high90,
        "sde": equivalence.detectable(result),
        "cpu_s": _cost(costs, corpus, [arm.method for arm in a.arms]),
        "answer": answer(result, spec.margin),
        "note": conditions(bench, paired, result, ()),
    }


def _widest(bench: Bench, arms: Sequence[Arm]) -> list[Arm]:
    """Arms that can be compared: those sharing regimes with every fine-tuned arm, or, where none
    is fine-tuned, those that ran in the regimes of most arms."""
    tuned = [arm for arm in arms if arm.mode == "fine-tuned"]
    if tuned:
        needed = set(common_regimes(bench, tuned))
        kept = [arm for arm in arms if needed & bench.regimes(arm)]
        shared = needed.intersection(*(bench.regimes(arm) for arm in kept))
        return [arm for arm in kept if shared]
    sets = [frozenset(bench.regimes(arm)) for arm in arms]
    most = max(set(sets), key=lambda regimes: (sets.count(regimes), sorted(regimes)))
    return [arm for arm in arms if bench.regimes(arm) >= most]


def _cost(costs: pd.DataFrame, corpus: str, methods: Sequence[str]) -> float:
    spent = costs[(costs.rule == "pretrain") & (costs.corpus == corpus)]
    spent = spent[spent.method.isin(methods)]
    return float(spent.cpu_s.median()) if len(spent) else math.nan
