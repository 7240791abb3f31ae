"""The ledger of claims: what was published, the same from run level up, and ours, with verdicts.

A difference is first put into a word of `stats.equivalence` (95 % interval or, for ours, the
adjusted p of the study's contrasts; "equivalent" if the 90 % interval lies inside the margin), then
held against the claim:

| the claim says | better | worse | equivalent | undecided |
| --- | --- | --- | --- | --- |
| a is above b | agrees | disagrees | equivalent | undecided |
| no difference | disagrees | disagrees | agrees | undecided |

"not testable": the claim has no analogue, or the study did not run it, or no run of it ended well;
the note says which and what would be needed. Nothing is said of how large a gain is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from selfcell.claims import Claim, Contrast, Scores, Types
from selfcell.errors import DataError
from selfcell.stats import equivalence, published
from selfcell.stats.crossed import Estimate, crossed
from selfcell.stats.paired import by_seed_and_draw
from selfcell.stats.schema import Column, Table

UNTESTABLE = "not testable"
VERDICTS = ("agrees", "disagrees", "equivalent", "undecided", UNTESTABLE)
SAID = {
    "up": {"better": "agrees", "worse": "disagrees", "equivalent": "equivalent"},
    "none": {"better": "disagrees", "worse": "disagrees", "equivalent": "agrees"},
}

CLAIMS = Table(
    "claims",
    (
        Column("study"),
        Column("order", "integer", minimum=0),
        *(Column(name) for name in ("claim", "short", "text", "group", "metric")),
        Column("direction", allowed=("up", "none")),
        Column("margin", "number", minimum=0),
        Column("source"),
        *(Column(name, empty=True) for name in ("arm_a", "arm_b", "caveat")),
        # as printed: numbers of runs of each arm, difference, interval by Welch
        *(
            Column(f"published{part}", "number", nullable=True)
            for part in ("_n_a", "_n_b", "", "_low", "_high")
        ),
        # the published runs again
        *(
            Column(f"again{part}", "number", nullable=True)
            for part in ("_n_a", "_n_b", "_collapsed", "", "_low", "_high")
        ),
        Column("again_verdict", allowed=VERDICTS),
        Column("again_note", empty=True),
        # this study
        *(Column(name, empty=True) for name in ("target", "corpus", "analogue", "differs")),
        *(Column(f"ours{part}", "number", nullable=True) for part in ("", "_low", "_high")),
        *(Column(name, "integer", minimum=0) for name in ("n_seeds", "n_draws", "n_failed")),
        Column("verdict", allowed=VERDICTS),
        Column("note", empty=True),
    ),
    key=("study", "order"),
)


@dataclass(frozen=True)
class Ours:
    """A study's tables.

    Attributes:
        contrasts: `stats.contrasts.CONTRASTS`.
        scores: `stats.table.SCORES`.
        types: `stats.by_type.TYPE_CHANGES`.
    """

    contrasts: pd.DataFrame
    scores: pd.DataFrame
    types: pd.DataFrame


def ledger(claims: Sequence[Claim], ours: Ours, study: str, folder: Path) -> pd.DataFrame:
    """Every claim with its three effects and verdicts, in the table `CLAIMS`.

    Args:
        claims: `selfcell.claims.load`.
        folder: of the published tables.

    Raises:
        DataError: a claim names a published column, value or group that is not there.
    """
    rows = []
    for order, claim in enumerate(claims):
        head = {name: getattr(claim, name) for name in ("short", "text", "group", "metric")}
        head |= {name: getattr(claim, name) for name in ("direction", "margin", "source")}
        head |= {"study": study, "order": order, "claim": claim.id, "caveat": claim.caveat}
        rows.append({**head, **_printed(claim), **_again(claim, folder), **_tested(claim, ours)})
    return pd.DataFrame(rows, columns=CLAIMS.names)


def said(direction: str, word: str) -> str:
    """A word of `equivalence.VERDICTS` as a verdict on a claim of this direction."""
    return UNTESTABLE if word == "not run" else SAID[direction].get(word, word)


def judged(claim: Claim, estimate: Estimate) -> str:
    """Verdict on a claim from an estimate that is not of a family of tests."""
    p = estimate.p() if estimate.parts else math.nan
    return said(claim.direction, equivalence.verdict(estimate, p, claim.margin))


def _numbers(prefix: str, estimate: Estimate, show: Callable[[float], float]) -> dict[str, Any]:
    low, high = estimate.interval() if estimate.parts else (math.nan, math.nan)
    return {
        prefix: show(estimate.mean),
        f"{prefix}_low": show(low),
        f"{prefix}_high": show(high),
    }


def _itself(value: float) -> float:
    return value


def _printed(claim: Claim) -> dict[str, Any]:
    if claim.published is None:
        return {"arm_a": "", "arm_b": ""}
    a, b = claim.published.a, claim.published.b
    arms = {"arm_a": a.arm, "arm_b": b.arm, "published_n_a": a.n, "published_n_b": b.n}
    return {**arms, **_numbers("published", published.printed(claim.published), _itself)}


def _again(claim: Claim, folder: Path) -> dict[str, Any]:
    if claim.per_type:
        estimate = published.per_type(claim.per_type, folder)
        runs = {"again_n_a": 1, "again_n_b": 1, "again_collapsed": 0}
        note = f"over {estimate.n_draws} cell types; one run of each arm"
        show: Callable[[float], float] = math.tanh
    elif claim.runs:
        found = published.again(claim.runs, folder)
        estimate, note, show = found.estimate, found.note, _itself
        runs = {"again_n_a": estimate.n_seeds, "again_n_b": estimate.n_draws}
        runs["again_collapsed"] = found.collapsed
    else:
        return {"again_verdict": UNTESTABLE, "again_note": "no run was published"}
    word = judged(claim, estimate)
    numbers = _numbers("again", estimate, show)
    return {**runs, **numbers, "again_verdict": word, "again_note": note}


def _tested(claim: Claim, ours: Ours) -> dict[str, Any]:
    """Ours, by the kind of analogue that the claim names."""
    empty = {"target": "", "corpus": "", "analogue": "", "differs": claim.differs}
    row: dict[str, Any] = empty | {"n_seeds": 0, "n_draws": 0, "n_failed": 0}
    if claim.contrasts:
        return row | _by_contrast(claim, claim.contrasts, ours.contrasts)
    if claim.scores:
        return row | _by_scores(claim, claim.scores, ours.scores)
    if claim.types:
        return row | _by_types(claim, claim.types, ours.types)
    return row | {"verdict": UNTESTABLE, "note": claim.not_testable}


def _by_contrast(claim: Claim, wanted: Sequence[Contrast], rows: pd.DataFrame) -> dict[str, Any]:
    for each in wanted:
        own = rows[(rows.target == each.target) & (rows.corpus == each.corpus)]
        own = own[own.name == each.name]
        if len(own):
            return _contrast_row(claim, each, own.iloc[0])
    said_of = ", ".join(f"{each.target} from {each.corpus}" for each in wanted)
    note = f"this study did not run {wanted[0].name} on {said_of}"
    return {"verdict": UNTESTABLE, "note": note, "analogue": wanted[0].name}


def _contrast_row(claim: Claim, wanted: Contrast, row: pd.Series) -> dict[str, Any]:
    ends, word = [row.low, row.high], row.verdict
    sign, name = 1, wanted.name
    if wanted.reversed:
        sign, ends = -1, [-row.high, -row.low]
        word = {"better": "worse", "worse": "better"}.get(word, word)
        name = " - ".join(reversed(name.split(" - ")))
    return {
        "target": wanted.target,
        "corpus": wanted.corpus,
        "analogue": name,
        "ours": sign * row.difference,
        "ours_low": ends[0],
        "ours_high": ends[1],
        "n_seeds": row.n_seeds,
        "n_draws": row.n_draws,
        "n_failed": row.n_failed,
        "margin": row.margin,
        "verdict": said(claim.direction, word),
        "note": row.note,
    }


def _by_scores(claim: Claim, wanted: Sequence[Scores], rows: pd.DataFrame) -> dict[str, Any]:
    for each in wanted:
        if ((rows.task == each.where["task"]) & (rows.target == each.target)).any():
            return _of_scores(claim, each, rows)
    return _of_scores(claim, wanted[0], rows)  # which says what is missing


def _of_scores(claim: Claim, wanted: Scores, rows: pd.DataFrame) -> dict[str, Any]:
    """Runs matched by regime, seed and draw; crossed interval, test cells held fixed."""
    where = {"target": wanted.target, "level": "overall", "protocol": "intended"} | wanted.where
    a, b = (_match(rows, {**where, **arm}) for arm in (wanted.a, wanted.b))
    words = [arm["method"] for arm in (wanted.a, wanted.b)]
    corpus = (where | wanted.a).get("corpus", "")
    found: dict[str, Any] = {"target": wanted.target, "corpus": corpus}
    found["analogue"] = " - ".join(words)
    found["differs"] = wanted.differs or claim.differs
    if a.empty or b.empty:
        absent = [word for word, arm in zip(words, (a, b), strict=True) if arm.empty]
        return found | {"verdict": UNTESTABLE, "note": _missing(rows, where, absent)}
    both = _paired(claim, a, b)
    value_SD = by_seed_and_draw(both)
    found["n_failed"] = int(both["difference"].isna().sum())
    if value_SD.size == 0:
        return found | {"verdict": UNTESTABLE, "note": "no pair of runs is ok"}
    result = crossed(value_SD)
    note = "; ".join(part for part in ("for these test cells", result.note) if part)
    sizes = {"n_seeds": result.n_seeds, "n_draws": result.n_draws}
    numbers = _numbers("ours", result, _itself)
    return {**found, **numbers, **sizes, "verdict": judged(claim, result), "note": note}


def _paired(claim: Claim, a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Runs of a beside those of b, with their difference; above zero where a is the better."""
    keys = ["regime", "draw", "seed"] if b["seed"].nunique() > 1 else ["regime", "draw"]
    for arm, name in ((a, "a"), (b, "b")):
        if arm.duplicated(["regime", "draw", "seed"]).any():
            raise DataError(
                f"claim {claim.id}: scores.{name} fits several rows of one run",
                "values that single out an arm and a metric",
            )
    both = a.merge(b[[*keys, "value", "status"]], on=keys, suffixes=("_a", "_b"))
    ok = (both["status_a"] == "ok") & (both["status_b"] == "ok")
    sign = 1 if a["higher_is_better"].all() else -1
    both["difference"] = sign * (both["value_a"] - both["value_b"]).where(ok)
    return both


def _match(rows: pd.DataFrame, wanted: Mapping[str, str]) -> pd.DataFrame:
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return rows


def _missing(rows: pd.DataFrame, where: Mapping[str, str], absent: Sequence[str]) -> str:
    """Why there is nothing to compare: the task was not run, or the metric, or the arm."""
    task = rows[rows["task"] == where["task"]]
    if task.empty:
        return f"this study has no task {where['task']}"
    for column in ("target", "metric"):
        there = sorted(set(task[column]))
        if where[column] not in there:
            got = f"task {where['task']} of this study has no {column} {where[column]}"
            return f"{got}; there are {', '.join(there)}"
        task = task[task[column] == where[column]]
    how = f" ({where['mode']})" if "mode" in where else ""
    return f"this study did not run {' and '.join(absent)}{how} on {where['target']}"


def _by_types(claim: Claim, wanted: Types, rows: pd.DataFrame) -> dict[str, Any]:
    own = rows[(rows.target == wanted.target) & (rows.corpus == wanted.corpus)]
    own = own[own.comparison == wanted.comparison]
    found = {"target": wanted.target, "corpus": wanted.corpus, "analogue": wanted.comparison}
    if len(own) < 4:
        note = f"{len(own)} cell types of {wanted.target} from {wanted.corpus}, four are needed"
        return found | {"verdict": UNTESTABLE, "note": note}
    result = published.rarity(own.n_pool.to_numpy(float), own.difference.to_numpy(float))
    sizes = {"n_seeds": int(own.n_seeds.min()), "n_draws": int(own.n_draws.min())}
    note = f"over {len(own)} cell types"
    numbers = _numbers("ours", result, math.tanh)
    return {**found, **numbers, **sizes, "verdict": judged(claim, result), "note": note}
