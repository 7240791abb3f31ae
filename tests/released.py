"""A made-up finished study in a folder, with all that a release takes. Nothing is a result."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from selfcell.claims import load
from selfcell.config import from_mapping
from selfcell.figures import FIGURES
from selfcell.stats import table
from selfcell.stats.by_type import changes
from selfcell.stats.claims import CLAIMS, Ours, ledger
from selfcell.stats.contrasts import CONTRASTS, Spec, contrast_table
from selfcell.stats.health import HEALTH
from selfcell.stats.predictions import COSTS
from selfcell.stats.pretrain import VERDICTS, verdict_table
from selfcell.stats.published import FOLDER
from selfcell.stats.shared import SHARED
from selfcell.study import Study
from tests.stats import score_factory
from tests.tree import REPO

NAME = "made"


@cache
def tables() -> tuple[score_factory.Made, pd.DataFrame, pd.DataFrame]:
    """Scores and more, contrasts, verdicts; made once."""
    made = score_factory.study(tuple(score_factory.TYPES), ("random_mask",), 2, 3, scale=0.05)
    spec = Spec(resamples=20)
    inputs = (made.truths, spec)
    contrasts = contrast_table(made.scores, made.predictions, *inputs)
    verdicts = verdict_table(made.scores, made.predictions, made.costs, made.shared, *inputs)
    return made, contrasts, verdicts


def finished(folder: Path) -> tuple[Study, Path, Path]:
    """Write a finished study; its jobs, configuration file and results folder."""
    made, contrasts, verdicts = tables()
    data = yaml.safe_load((REPO / "config.yaml").read_text(encoding="utf-8")) | {"study": NAME}
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(data))
    study, results = Study(from_mapping(data)), folder / "results" / NAME
    for part in ("figures", "splits", "benchmarks/qc", *(f"data/{n}" for n in study.datasets)):
        (results / part).mkdir(parents=True)
    table.write(made.scores, results / "scores.parquet")
    CONTRASTS.write(contrasts, results / "contrasts.parquet")
    CONTRASTS.write(contrasts.iloc[:0], results / "task_contrasts.parquet")
    VERDICTS.write(verdicts, results / "verdicts.parquet")
    own = Ours(contrasts, made.scores, changes(made.scores, made.truths, Spec()))
    found = ledger(load(REPO / "resources/claims.yaml"), own, NAME, REPO / FOLDER)
    CLAIMS.write(found, results / "claims.parquet")
    COSTS.write(made.costs, results / "costs.parquet")
    SHARED.write(made.shared, results / "shared_variance.parquet")
    HEALTH.write(pd.DataFrame(columns=HEALTH.names), results / "health.parquet")
    pd.DataFrame({"dataset": ["kang"]}).to_parquet(results / "alignment.parquet")
    (results / "predictions.parquet").write_bytes(b"not released")
    (results / "audit.json").write_text('{"checks": []}\n')
    (results / "lineage.json").write_text("{}\n")
    hardware = {"cores": 2, "machine": "x86_64", "threads": 1, "system": "Linux"}
    provenance = {"hardware": [hardware], "git": ["abc"], "versions": [{"numpy": "2.0"}]}
    (results / "provenance.json").write_text(json.dumps(provenance))
    _splits(made, results / "splits")
    for number, name in enumerate(study.datasets):
        genes = {"genes_kept": 1234, "share_counts_kept": 0.9}
        page = {"dataset": name, "cells_kept": 1000 + number, "genes": genes, "cells_in": 2000}
        page |= {"labels": {"B": 5, "T": 6}, "donors": {"d1": 11}}
        (results / f"data/{name}/qc.json").write_text(json.dumps(page))
        job = {"rule_name": "qc", "s": 60.0 + number, "cpu_time": 30.0, "max_rss": 500.0 + number}
        (results / f"benchmarks/qc/{name}.jsonl").write_text(json.dumps(job) + "\n")
    for figure in FIGURES:
        for kind in ("csv", "pdf", "png"):
            (results / f"figures/{figure}.{kind}").write_text(f"{figure} {kind}\n")
    return study, config, results


def _splits(made: score_factory.Made, folder: Path) -> None:
    for path in made.save(folder):
        split = json.loads(path.read_text())
        rare = {"label": "Mk", "n_pool": 6, "n_test": 7, "reason": "rare in test"}
        split |= {"dataset": "d", "hash": "h", "left_out": [rare], "unknown": ["batch"]}
        path.write_text(json.dumps(split))
