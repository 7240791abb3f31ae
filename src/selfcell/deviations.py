"""What each behaviour of the released code costs: the generated parts of docs/deviations.md.

Everything is computed from released score tables: ways of evaluating as re-scores of the default
study, ways of training as differences between a method with one behaviour and the method without.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from selfcell.catalogue import markdown
from selfcell.methods.published import DEVIATIONS, RE_SCORED

if TYPE_CHECKING:
    import pandas as pd

RE_SCORES, TRAINING = "default", "blood"
"""Released studies that the two tables are made from."""

MAE = "random_mask"
NOT_RUN = "*Not measured yet: `make release` of the study `{}`, then `make readme`.*"
EFFECT = "Effect [95 %]"
HEAD = ["Difference", "Arm", "Target", EFFECT, "Runs"]


def parts(root: Path) -> dict[str, str]:
    """The generated parts by name, from results/released below the checkout `root`."""
    from selfcell.stats import table

    found = {}
    for name, study, rows in (
        ("re-scores", RE_SCORES, re_scores),
        ("training", TRAINING, training),
    ):
        path = root / "results" / "released" / study / "scores.parquet"
        text = NOT_RUN.format(study)
        if path.is_file():
            text = markdown(HEAD, list(rows(table.read(path))), right=EFFECT)
        found[name] = text
    return found | {"behaviours": behaviours()}


def behaviours() -> str:
    """Every behaviour with the methods it concerns and the settings that bring it about."""
    rows = []
    for entry in DEVIATIONS:
        settings = {**entry.params, **{f"network.{k}": v for k, v in entry.network.items()}}
        shown = ", ".join(f"`{key}: {_yaml(value)}`" for key, value in settings.items())
        shown += f", on top of `{entry.on}`" if entry.on else ""
        rows.append([f"`{entry.name}`", entry.what, ", ".join(entry.methods), shown])
    rows += [[f"`{name}`", what, "all", "re-score"] for name, what in RE_SCORED.items()]
    return markdown(["Name", "What the released code does", "Concerns", "Setting"], rows, right="")


def re_scores(scores: pd.DataFrame) -> Iterator[list[str]]:
    """Rows for the ways of evaluating; control corpora are left out."""
    from selfcell.figures import style

    rows = scores[scores.level == "overall"]
    f1, union = rows[rows.metric == "macro_f1"], rows[rows.metric == "macro_f1_union"]
    decoder = _is(rows, method=MAE, mode="frozen", readout="decoder")
    frozen, tuned = (_is(f1, method=MAE, mode=mode) for mode in ("frozen", "fine-tuned"))
    scratch = _is(f1, method="scratch", mode="fine-tuned")
    pool = _is(f1, corpus="own_pool", readout="probe")
    pairs = (
        ("knn5_drop", "MAE, frozen", _is(frozen, readout="knn5_drop"), _is(frozen, readout="knn5")),
        ("head", "MAE, fine-tuned", _is(tuned, readout="knn5_drop"), _is(tuned, readout="head")),
        ("head", "scratch", _is(scratch, readout="knn5_drop"), _is(scratch, readout="head")),
        (
            "macro_f1_union",
            "MAE, frozen",
            _is(union, method=MAE, mode="frozen", readout="probe"),
            _is(frozen, readout="probe"),
        ),
        *(
            (
                "ev_batches",
                f"MAE's decoder, `{name}`",
                _is(decoder, metric=f"{name}_batches"),
                _is(decoder, metric=name),
            )
            for name in ("ev_weighted", "ev_uniform")
        ),
        (
            "pca_refitted",
            "PCA of the pool",
            _is(pool, method="pca_refitted"),
            _is(pool, method="pca"),
        ),
    )
    for name, arm, with_it, without in pairs:
        with_it = with_it[~with_it.corpus.map(style.is_control).astype(bool)]
        for key, a in with_it.groupby(["target", "corpus"]):
            b = without[(without.target == key[0]) & (without.corpus == key[1])]
            yield [f"`{name}`", arm, _place(*key), *effect(a, b)]


def training(scores: pd.DataFrame) -> Iterator[list[str]]:
    """Rows for the ways of training: frozen by the probe, fine-tuned by the head.

    Of a study under protocol intended: the difference alone, minus the method without (or with
    the difference that it comes on top of). Of one under protocol published: all but the
    difference, minus all.
    """
    rows = scores[(scores.level == "overall") & (scores.metric == "macro_f1")]
    rows = rows[rows.readout.isin(["probe", "head"])]
    for protocol, entry in product(("intended", "published"), DEVIATIONS):
        words = f"without `{entry.name}`" if protocol == "published" else f"`{entry.name}`"
        for task in entry.methods:
            arm, base = entry.arm(task, protocol), entry.base(task, protocol)
            own = rows[rows.method == arm]
            for (target, corpus, mode), a in own.groupby(["target", "corpus", "mode"]):
                b = rows[(rows.method == base) & (rows.target == target)]
                b = b[(b.corpus == corpus) & (b["mode"] == mode)]
                against = "" if base == task else f", against `{entry.on}`"
                yield [words, f"{task}, {mode}{against}", _place(target, corpus), *effect(a, b)]


def effect(a: pd.DataFrame, b: pd.DataFrame) -> list[str]:
    """Mean difference a - b with its interval, and what became of the runs of a.

    Runs are paired by regime, seed and draw and averaged over the regimes, each with the same
    weight (a regime with one draw stands for all); the interval is
    `stats.crossed` over seeds and draws, for these test cells. A run that did not learn keeps its
    score, since that is the effect; one without a score is left out and counted.
    """
    from selfcell.stats.crossed import crossed
    from selfcell.stats.paired import by_seed_and_draw

    keys = ["regime", "seed", "draw"]
    both = a.merge(b, on=keys, suffixes=("_a", "_b"), validate="one_to_one")
    both["difference"] = both.value_a - both.value_b
    value_SD = by_seed_and_draw(both)
    said, without = _states(a), _states(b[b.seed.isin(a.seed)])
    if "not learned" in without or "collapsed" in without or "diverged" in without:
        said += f"; without it: {without}"
    if value_SD.size == 0:
        return ["–", said]
    result = crossed(value_SD)
    low, high = result.interval()
    text = f"{result.mean:+.3f}" + ("" if low != low else f" [{low:+.3f}, {high:+.3f}]")
    return [text.replace("-", "−"), said]


def _states(rows: pd.DataFrame) -> str:
    """How many pre-training seeds ended in each status."""
    counts = rows.drop_duplicates(["seed"]).status.value_counts()
    return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items())


def _yaml(value: object) -> str:
    """A value as a configuration writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is(rows: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return rows


def _place(target: str, corpus: str) -> str:
    from selfcell.figures import style

    name = style.target_name(target)
    return name if corpus in ("none", "own_pool") else f"{name}, from {style.corpus_name(corpus)}"
