"""Result files of a study as tables for readers: every number of the report comes from here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from selfcell import words
from selfcell.figures import style

if TYPE_CHECKING:
    import pandas as pd

WHERE = ("target", "corpus", "method", "mode", "task", "status")


@dataclass(frozen=True)
class Grid:
    """A table of the page.

    Attributes:
        name: unique on the page; of the file that is downloaded, too.
        caption: what it holds, in a sentence or two.
        head: column names. rows: cells as text, one for each column.
        numbers: columns set flush right.
        verdict: column whose cells are marked by what they say; "" is none.
        data: address of the whole table as csv; "" where the page holds all of it.
    """

    name: str
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[str] = field(default_factory=frozenset)
    verdict: str = ""
    data: str = ""


def answers(verdicts: pd.DataFrame) -> list[list[str]]:
    """ "Should I pre-train?": columns of `ANSWERS`, targets in the study's order."""
    return [
        [
            f"{words.place(row)}{_role(row)}",
            row.scope,
            row.answer,
            words.interval(row),
            words.number(row.sde, ".3f"),
            words.ABSENT if row.cpu_s != row.cpu_s else f"{row.cpu_s:.0f} s",
            words.arms(row.best_pretrained, row.corpus),
            words.arms(row.best_without),
            row.note,
        ]
        for row in _by_target(verdicts.sort_values("scope", ascending=False), ["corpus"])
    ]


ANSWERS = (
    *("Target, corpus", "Arms", "Answer", "Gain [95 %]", "Detectable", "Cost"),
    *("Best with", "Best without", "Conditions"),
)


def contrasts(rows: pd.DataFrame) -> list[list[str]]:
    """Contrasts of one family: columns of `CONTRAST`."""
    return [
        [
            f"{words.place(row)}{_role(row)}",
            str(row.name).replace(" - ", " − "),
            str(row.metric).replace("_", " "),
            words.interval(row),
            row.verdict,
            words.number(row.sde, ".3f"),
            _p(row.p_adjusted),
            f"{row.n_seeds} × {row.n_draws}",
            str(row.n_failed),
            row.note,
        ]
        for row in _by_target(rows, ["corpus", "name"])
    ]


CONTRAST = (
    *("Target, corpus", "Contrast", "Metric", "Difference [95 %]", "Verdict", "Detectable"),
    *("Adjusted p", "Seeds × draws", "Failed runs", "Conditions"),
)


def claims(rows: pd.DataFrame) -> list[list[str]]:
    """The ledger of claims: columns of `CLAIM`."""
    return [
        [
            row.text,
            row.metric,
            words.number(row.published, "+.3g"),
            _effect(row.again, row.again_low, row.again_high),
            row.again_verdict if row.again == row.again else words.ABSENT,
            _effect(row.ours, row.ours_low, row.ours_high),
            row.verdict,
            row.note or row.differs,
        ]
        for row in rows.sort_values("order").itertuples()
    ]


CLAIM = (
    *("Claim of the paper", "Measure", "Published", "Its runs again [95 %]", "Their verdict"),
    *("This study [95 %]", "Verdict", "Note"),
)


def failed(scores: pd.DataFrame) -> list[list[str]]:
    """Evaluations of runs that diverged, collapsed or did not learn: columns of `FAILED`.

    Args:
        scores: columns `WHERE`, `run_hash` and `seed` of the score table.
    """
    bad = scores[scores.status != "ok"]
    rows = bad.groupby(list(WHERE), sort=True).seed.agg(["nunique", "size"])
    return [
        [
            style.target_name(key[0]),
            style.corpus_name(key[1]),
            style.method_name(key[2]),
            key[3],
            key[4],
            key[5].replace("_", " "),
            str(row.nunique),
            f"{row.size:,}",
        ]
        for key, row in ((row.Index, row) for row in rows.itertuples())
    ]


FAILED = ("Target", "Corpus", "Method", "Mode", "Task", "Status", "Seeds", "Scores set aside")


def health(models: pd.DataFrame) -> list[list[str]]:
    """Pre-trained models by corpus and method: columns of `HEALTH`; spans over seeds."""
    rows = []
    for (corpus, method), own in models.groupby(["corpus", "method"], sort=True):
        states = own.status.value_counts().sort_index()
        rows.append(
            [
                style.corpus_name(str(corpus)),
                style.method_name(str(method)),
                ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in states.items()),
                own.gate.iloc[0],
                span(own.value, ".3g"),
                words.number(float(own.threshold.iloc[0]), "g"),
                span(own.effective_rank, ".1f"),
                span(own.spread, ".2f"),
                span(own.difficulty, ".2f"),
                span(own.alignment, ".2f"),
                span(own.uniformity, ".2f"),
            ]
        )
    return rows


HEALTH = (
    *("Corpus", "Method", "Runs", "Gate", "Value", "Threshold", "Effective rank", "Spread"),
    *("Difficulty", "Alignment", "Uniformity"),
)


def gene_sets(models: pd.DataFrame) -> list[list[str]]:
    """What the coverage rule kept of gene sets: columns of `GENE_SETS`; the same for all seeds."""
    told = models[models.gene_sets != ""].drop_duplicates(["corpus", "method"])
    return [
        [style.corpus_name(row.corpus), style.method_name(row.method), row.gene_sets]
        for row in told.sort_values(["corpus", "method"]).itertuples()
    ]


GENE_SETS = ("Corpus", "Method", "Gene sets")


def costs(runs: pd.DataFrame) -> list[list[str]]:
    """What the runs of each rule and method took: columns of `COST`, dearest first."""
    by = runs.groupby(["rule", "method"], sort=True)
    found = by.agg(
        runs=("cpu_s", "size"), cpu=("cpu_s", "sum"), each=("cpu_s", "median"),
        wall=("wall_s", "sum"), peak=("peak_mb", "max"),
    )  # fmt: skip
    found = found.sort_values("cpu", ascending=False, kind="stable")
    return [
        [
            rule,
            words.ABSENT if method == "none" else style.method_name(method),
            str(row.runs),
            f"{row.cpu / 60:.1f}",
            f"{row.each:.0f}",
            f"{row.wall / 60:.1f}",
            f"{row.peak:.0f}",
        ]
        for (rule, method), row in ((row.Index, row) for row in found.itertuples())
    ]


COST = (
    *("Rule", "Method", "Runs", "CPU minutes", "CPU s a run, median", "Wall minutes"),
    "Largest run (MB)",
)


def cells(pages: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Data sets after quality control: columns of `CELLS`.

    Args:
        pages: `qc.json` of each data set.
    """
    return [
        [
            style.target_name(page["dataset"]),
            f"{page['cells_in']:,}",
            f"{page['cells_kept']:,}",
            str(len(page["labels"])),
            ", ".join(sorted(page["donors"])),
            f"{page['genes']['genes_kept']:,}",
            f"{page['genes']['share_counts_kept']:.1%}",
        ]
        for page in pages
    ]


CELLS = ("Data set", "Cells in", "Cells kept", "Types", "Donors", "Genes", "Counts kept")


def splits(found: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Targets: columns of `SPLITS`.

    Args:
        found: `split_summary` of each split file.
    """
    return [
        [
            style.target_name(each["target"]),
            f"{sum(kind['pool'] for kind in each['types'].values()):,}",
            f"{sum(kind['test'] for kind in each['types'].values()):,}",
            ", ".join(each["types"]),
            ", ".join(out["label"] for out in each["left_out"]) or "none",
            ", ".join(each["test_donors"]) or "unknown",
            ", ".join(each["shared"]) or "nothing",
        ]
        for each in found
    ]


SPLITS = (
    *("Target", "Training cells", "Test cells", "Types", "Left out, too rare"),
    *("Test donors", "Shared by design"),
)


def span(values: pd.Series, form: str) -> str:
    """Lowest to highest of some numbers, the missing ones apart."""
    known = values.dropna()
    if known.empty:
        return words.ABSENT
    low, high = (words.number(float(value), form) for value in (known.min(), known.max()))
    return low if low == high else f"{low} to {high}"


def _effect(value: float, low: float, high: float) -> str:
    text = words.number(value, "+.3g")
    if low != low:
        return text
    return f"{text} [{words.number(low, '+.4g')}, {words.number(high, '+.4g')}]"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else words.number(value, ".3f")


def _role(row: Any) -> str:
    return "" if row.role == "study" else f" ({row.role})"


def _by_target(frame: pd.DataFrame, then: Sequence[str]) -> Iterable[Any]:
    """Rows with targets in the study's order."""
    order = {target: place for place, target in enumerate(style.in_order(frame.target))}
    keyed = frame.assign(_order=frame.target.map(order))
    return keyed.sort_values(["_order", *then], kind="stable").drop(columns="_order").itertuples()
