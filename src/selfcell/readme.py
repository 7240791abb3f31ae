"""The parts of README.md that are generated: results, costs, catalogue.

A part stands between `<!-- begin: name -->` and `<!-- end: name -->`. Results and costs come from
results/released alone, so that a reader can make them again from what is committed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell import catalogue, scoreboard, words
from selfcell.catalogue import markdown
from selfcell.data.registry import Registry
from selfcell.errors import DataError
from selfcell.release import MANIFEST, released
from selfcell.study import Study

if TYPE_CHECKING:
    import pandas as pd

MARK = re.compile(r"<!-- begin: ([a-z-]+) -->\n.*?<!-- end: \1 -->", re.DOTALL)
NOTHING = "*No study has been released yet: `make release`, then `make readme`.*"
SLOWEST = 8  # rules in the table of costs


def fill(text: str, parts: Mapping[str, str]) -> str:
    """Put the parts between their marks.

    Raises:
        DataError: a part has no place, or a place no part.
    """
    places = MARK.findall(text)
    if sorted(places) != sorted(parts):
        raise DataError(f"the page marks {sorted(places)}", f"each of {sorted(parts)}, once")

    def put(found: re.Match[str]) -> str:
        name = found[1]
        return f"<!-- begin: {name} -->\n\n{parts[name]}\n\n<!-- end: {name} -->"

    return MARK.sub(put, text)


def parts(root: Path, study: Study, registry: Registry) -> dict[str, str]:
    """Every generated part.

    Args:
        root: of the checkout, which the links start from.
        study: the default one, for its downloads. registry: `resources/datasets.yaml`.
    """
    studies = released(root / "results/released")
    return {
        "headline": _each(studies, headline, root),
        "scores": _each(studies[:1], lambda folder, _: scoreboard.short(folder), root),
        "cells": _each(studies[:1], cells, root),
        "costs": _each(studies, costs, root),
        "downloads": catalogue.downloads(study),
        "methods": catalogue.methods(),
        "baselines": catalogue.baselines(),
        "datasets": catalogue.datasets(registry),
        "gene-sets": catalogue.gene_sets(registry),
        "carriers": catalogue.carriers(registry),
        "citation": catalogue.citation(root / "CITATION.cff"),
    }


def _each(studies: Sequence[Path], write: Callable[[Path, Path], str], root: Path) -> str:
    return "\n\n".join(write(study, study.relative_to(root)) for study in studies) or NOTHING


# -- results ---------------------------------------------------------------------------------


def headline(folder: Path, place: Path) -> str:
    """Figure, primary contrasts and answers of one released study.

    Args:
        folder: of the study. place: the same, as links in the README name it.
    """
    from selfcell.stats.contrasts import CONTRASTS
    from selfcell.stats.pretrain import VERDICTS

    rows = CONTRASTS.read(folder / "contrasts.parquet")
    primary = rows[rows.family == "primary"]
    verdicts = VERDICTS.read(folder / "verdicts.parquet")
    alt = f"Differences in macro-F1 with 95 % intervals, study {folder.name}"
    return "\n\n".join(
        [
            f"**Study `{folder.name}`.** {_design(primary)}",
            f"![{alt}]({place}/figures/contrasts.png)",
            contrasts(primary),
            "**Should I pre-train?** The best arm that uses pre-training minus the best that does"
            ' not, both picked on the other half of the label draws. "Yes": the 95 % interval lies'
            ' above the margin; "no": the 90 % interval lies below it. CPU s: processor time of'
            " pre-training one model. Shared: of the test cells' variance that 50 principal axes"
            " of the target's own cells explain, the share that 50 of the corpus do. No label is"
            " read for it; that it foretells the answer is a hypothesis, and so few targets cannot"
            " test it.",
            answers(verdicts),
        ]
    )


def _design(primary: pd.DataFrame) -> str:
    """Numbers of runs behind the contrasts, and how the verdicts came out."""
    counts = primary.verdict.value_counts()
    said = ", ".join(f"{counts[name]} {name}" for name in sorted(counts.index))
    seeds, draws = _span(primary.n_seeds), _span(primary.n_draws)
    margin = f"{primary.margin.max():g}"
    return (
        f"{len(primary)} primary contrasts: {said}. Each is over {seeds} pre-training seeds and"
        f" {draws} label draws, averaged over its label regimes. Equivalence margin ±{margin}"
        " macro-F1. Detectable: the smallest true difference found with 80 % power. MAE: the masked"
        " autoencoder, which fills in hidden genes; probe: logistic regression on its frozen code."
    )


def _span(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def contrasts(primary: pd.DataFrame) -> str:
    """Table of primary contrasts, by target, and what their intervals are conditional on."""
    from selfcell.figures import style

    rows, given = [], []
    for target in style.in_order(primary.target):
        own = primary[primary.target == target]
        notes = [part for note in own.note for part in note.split("; ")]
        kept = [part for part in dict.fromkeys(notes) if part and not part.startswith("picked")]
        given += [f"{style.target_name(target)}: {'; '.join(kept)}"] if kept else []
        rows += [
            [
                words.place(row),
                str(row.name).replace(" - ", " − "),
                row.regimes.replace(",", ", "),
                words.interval(row),
                f"**{row.verdict}**" + (f" ({row.n_failed} runs failed)" if row.n_failed else ""),
                words.number(row.sde, ".3f"),
            ]
            for row in own.itertuples()
        ]
    head = ["Target", "Contrast", "Labels per type", "Macro-F1 [95 %]", "Verdict", "Detectable"]
    table = markdown(head, rows, right="Detectable")
    return table + (f"\n\n{'. '.join(given)}." if given else "")


def answers(verdicts: pd.DataFrame) -> str:
    """Table of "should I pre-train?", by target; frozen arms first, then all."""
    from selfcell.figures import style

    rows = [
        [
            f"{words.place(row)}, {row.scope}",
            f"**{row.answer}**",
            words.arms(row.best_pretrained, row.corpus),
            words.arms(row.best_without),
            words.interval(row),
            words.number(row.cpu_s, ".0f"),
            words.number(row.shared_variance, ".2f"),
        ]
        for target in style.in_order(verdicts.target)
        for row in verdicts[verdicts.target == target]
        .sort_values(["corpus", "scope"], ascending=[True, False])
        .itertuples()
    ]
    head = ["Target, arms", "Pre-train?", "Best with", "Best without", "Difference [95 %]"]
    return markdown([*head, "CPU s", "Shared"], rows, right="CPU s, Shared")


# -- cells and costs -------------------------------------------------------------------------


def cells(folder: Path, place: Path) -> str:
    """How many cells the study has, and how few types and donors."""
    from selfcell.figures import style

    pages = [_json(path) for path in sorted((folder / "qc").glob("*.json"))]
    rows = [
        [
            style.target_name(page["dataset"]),
            f"{page['cells_kept']:,}",
            len(page["labels"]),
            ", ".join(sorted(page["donors"])),
            f"{page['genes']['genes_kept']:,}",
            f"{page['genes']['share_counts_kept']:.1%}",
        ]
        for page in pages
    ]
    total = sum(page["cells_kept"] for page in pages)
    head = ["Data set", "Cells", "Types", "Donors", "Protein-coding genes", "Counts kept"]
    splits = [
        f"{style.target_name(each['target'])}: {_split(each)}"
        for each in _json(folder / "splits.json")
    ]
    table = markdown(head, rows, right="Cells, Types, Protein-coding genes, Counts kept")
    return (
        f"**{total:,} cells** after quality control in the study `{folder.name}`.\n\n{table}\n\n"
        f"Test cells. {'; '.join(splits)}."
    )


def _split(split: Mapping[str, Any]) -> str:
    test = sum(each["test"] for each in split["types"].values())
    out = [each["label"] for each in split["left_out"]]
    left = f", left out as too rare: {', '.join(out)}" if out else ""
    return f"{test:,} cells of {len(split['types'])} types{left}"


def costs(folder: Path, place: Path) -> str:
    """Time, memory and disk of the study, as its own jobs measured them."""
    import pandas as pd

    from selfcell.stats.predictions import COSTS

    about, runs = _json(folder / MANIFEST), COSTS.read(folder / "costs.parquet")
    jobs = pd.read_csv(folder / "jobs.csv").sort_values("wall_s", ascending=False, kind="stable")
    wall, cpu = jobs.wall_s.sum() / 60, jobs.cpu_s.sum() / 60
    machine = _json(folder / "provenance.json")["hardware"][0]
    peak = max(float(runs.peak_mb.max()), float(jobs.peak_mb.max()))
    rows = [
        [f"`{row.rule}`", row.jobs, f"{row.wall_s / 60:.1f}", f"{row.peak_mb:.0f}"]
        for row in jobs.head(SLOWEST).itertuples()
    ]
    rest = jobs.iloc[SLOWEST:]
    if len(rest):
        rows.append(
            [
                "all others",
                rest.jobs.sum(),
                f"{rest.wall_s.sum() / 60:.1f}",
                f"{rest.peak_mb.max():.0f}",
            ]
        )
    head = ["Rule", "Jobs", "Minutes", "Largest job (MB)"]
    return (
        f"**Study `{folder.name}`**, on a machine of {machine['cores']} {machine['machine']} cores:"
        f" {jobs.jobs.sum()} jobs of one core each take {wall:.0f} minutes one after the other"
        f" ({cpu:.0f} of processor time), so {cpu / 2:.0f} to {wall / 2:.0f} on two cores, by"
        f" what else these have to do."
        f" The largest job needs {peak:,.0f} MB of memory; as many jobs run at once as there are"
        f" cores. Results take {about['results_mb']:,.0f} MB of disk, the download cache"
        f" {about['cache_mb']:,.0f} MB.\n\n"
        + markdown(head, rows, right="Jobs, Minutes, Largest job (MB)")
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
