"""The page: result files of a study and what its configuration says, as one HTML text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from selfcell.errors import intact
from selfcell.figures import paper, read_study_table
from selfcell.report import embed, tables
from selfcell.report.tables import Grid

if TYPE_CHECKING:
    import pandas as pd

TEMPLATE, STYLE = "page.html", "style.css"
ABOVE = "#top"


class Figure(NamedTuple):
    """A figure of the page."""

    name: str
    caption: embed.Caption
    picture: embed.Picture
    data: str


def render(about: Mapping[str, Any], results: Path, captions: Sequence[Path]) -> str:
    """The report of a finished study.

    Args:
        about: what `report.about` says of its configuration.
        results: the study's folder. captions: reStructuredText, one a figure, in order; their
            names are those of the figures.

    Raises:
        DataError: a result file is damaged or does not keep its contract.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    found = Results(results)
    return environment.get_template(TEMPLATE).render(
        about=about,
        style=(folder / STYLE).read_text(encoding="utf-8"),
        summary=found.summary(),
        grids=found.grids(),
        figures=[figure(results, path) for path in captions],
        paper=paper.PAPER,
        needs=paper.NEEDS,
        config=embed.address(
            json.dumps(about["config"], indent=1, sort_keys=True).encode(), "application/json"
        ),
        provenance=found.provenance,
        audit=found.audit(),
        top=ABOVE,
    )


def figure(results: Path, caption: Path) -> Figure:
    """Picture, caption and table of a figure."""
    place = results / "figures" / caption.stem
    data = embed.address(place.with_suffix(".csv").read_bytes(), "text/csv")
    picture = embed.picture(place.with_suffix(".png"))
    return Figure(caption.stem, embed.caption(caption), picture, data)


class Results:
    """The result files of a study, read once."""

    def __init__(self, folder: Path) -> None:
        from selfcell.stats.claims import CLAIMS
        from selfcell.stats.contrasts import CONTRASTS
        from selfcell.stats.health import HEALTH
        from selfcell.stats.predictions import COSTS
        from selfcell.stats.pretrain import VERDICTS

        self.folder = folder
        self.contrasts = CONTRASTS.read(folder / "contrasts.parquet")
        self.tasks = CONTRASTS.read(folder / "task_contrasts.parquet")
        self.verdicts = VERDICTS.read(folder / "verdicts.parquet")
        self.claims = CLAIMS.read(folder / "claims.parquet")
        self.health = HEALTH.read(folder / "health.parquet")
        self.costs = COSTS.read(folder / "costs.parquet")
        scores = read_study_table(folder / "scores.parquet")
        self.scores = scores[[*tables.WHERE, "seed", "run_hash"]]
        self.provenance = _json(folder / "provenance.json")

    def summary(self) -> dict[str, Any]:
        """The numbers of the first paragraph."""
        primary = self.contrasts[self.contrasts.family == "primary"]
        return {
            "answers": _counts(self.verdicts.answer, ("yes", "no", "undecided")),
            "targets": self.verdicts.target.nunique(),
            "primary": _counts(primary.verdict, sorted(set(primary.verdict))),
            "claims": _counts(self.claims.verdict, sorted(set(self.claims.verdict))),
            "margin": f"{self.contrasts.margin.max():g}" if len(self.contrasts) else "0.02",
            "models": len(self.health),
            "failed": int((self.health.status != "ok").sum()),
            "runs": len(self.costs),
            "cpu_h": f"{self.costs.cpu_s.sum() / 3600:.1f}",
            "seeds": tables.span(primary.n_seeds, ".0f"),
            "draws": tables.span(primary.n_draws, ".0f"),
        }

    def grids(self) -> dict[str, Grid]:
        """Every table of the page, by name."""
        primary = self.contrasts[self.contrasts.family == "primary"]
        found = [
            self._answers(),
            self._contrasts("contrasts", "Primary contrasts of annotation (macro-F1).", primary),
            self._contrasts(
                "task_contrasts",
                "Primary contrasts of the other tasks, each in its own metric.",
                self.tasks[self.tasks.family == "primary"],
            ),
            Grid(
                "claims", "The paper's claims, one by one.", tables.CLAIM,
                tables.claims(self.claims), verdict="Verdict", data=embed.csv(self.claims),
            ),
            Grid(
                "failed", "Evaluations that no mean holds.", tables.FAILED,
                tables.failed(self.scores), frozenset({"Seeds", "Scores set aside"}),
            ),
            Grid(
                "health", "Every pre-trained network; lowest to highest of its seeds.",
                tables.HEALTH, tables.health(self.health), frozenset({"Threshold"}),
                data=embed.csv(self.health),
            ),
            Grid(
                "gene_sets", "What the coverage rule left of the gene sets.",
                tables.GENE_SETS, tables.gene_sets(self.health),
            ),
            Grid(
                "costs", "What the runs took, as each measured itself.", tables.COST,
                tables.costs(self.costs), frozenset(tables.COST[2:]), data=embed.csv(self.costs),
            ),
            *self._data(),
        ]  # fmt: skip
        return {grid.name: grid for grid in found}

    def _answers(self) -> Grid:
        return Grid(
            "verdicts", "Should I pre-train?", tables.ANSWERS, tables.answers(self.verdicts),
            frozenset({"Detectable", "Cost"}), "Answer", embed.csv(self.verdicts),
        )  # fmt: skip

    def _contrasts(self, name: str, caption: str, rows: pd.DataFrame) -> Grid:
        whole = self.tasks if name == "task_contrasts" else self.contrasts
        numbers = frozenset({"Detectable", "Adjusted p", "Failed runs"})
        body = tables.contrasts(rows)
        return Grid(name, caption, tables.CONTRAST, body, numbers, "Verdict", embed.csv(whole))

    def _data(self) -> list[Grid]:
        """Cells and splits."""
        from selfcell.data.split_summary import split_summary

        pages = [_json(path) for path in sorted(self.folder.glob("data/*/qc.json"))]
        targets = sorted(set(self.contrasts.target))
        splits = [split_summary(self.folder / "splits" / f"{name}.json") for name in targets]
        return [
            Grid(
                "cells", "Data sets after quality control.", tables.CELLS, tables.cells(pages),
                frozenset({"Cells in", "Cells kept", "Types", "Genes", "Counts kept"}),
            ),
            Grid(
                "splits", "Targets: who learns, who is tested.", tables.SPLITS,
                tables.splits(splits), frozenset({"Training cells", "Test cells"}),
            ),
        ]  # fmt: skip

    def audit(self) -> dict[str, int]:
        """Number of leakage checks by status."""
        checks = _json(self.folder / "audit.json")["checks"]
        states = [check["status"] for check in checks]
        return {state: states.count(state) for state in sorted(set(states))}


def _counts(values: pd.Series, order: Sequence[str]) -> dict[str, int]:
    """How often each value occurs, those that never do left out."""
    return {name: n for name in order if (n := int((values == name).sum()))}


def _json(path: Path) -> Any:
    with intact(path):
        return json.loads(path.read_text(encoding="utf-8"))
