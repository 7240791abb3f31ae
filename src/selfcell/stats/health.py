"""Whether each pre-training run learned, and what its code looks like: one row a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from selfcell.errors import DataError
from selfcell.stats.schema import Column, Table
from selfcell.stats.table import NAME, STATUSES

MEASURES = (
    *("value", "threshold", "effective_rank", "spread"),
    *("difficulty", "alignment", "uniformity"),
)
HEALTH = Table(
    "health",
    (
        *(Column(name, pattern=NAME) for name in ("study", "corpus", "method")),
        Column("seed", "integer", minimum=0),
        Column("status", allowed=STATUSES),
        Column("gate", allowed=("skill", "retrieval", "none")),
        *(Column(name, "number", nullable=True) for name in MEASURES),
        Column("gene_sets", empty=True, before=""),
    ),
    key=("study", "corpus", "method", "seed"),
)


def health(folders: Sequence[Path]) -> pd.DataFrame:
    """What `methods.base.Health` found at the end of each run, out of its model.json.

    `value` passes the `gate` above `threshold`. A measure is empty where the method has none
    (masked-entry difficulty: joint-embedding methods; alignment and uniformity: masked ones), and
    all are, with gate "none", where the run diverged. `gene_sets`: how many of the programmes, or
    factors, the coverage rule kept; empty for a method without.

    Raises:
        DataError: a folder without a model.
    """
    frame = pd.DataFrame([_row(folder) for folder in folders], columns=HEALTH.names)
    frame = frame.astype(dict.fromkeys(MEASURES, float))
    HEALTH.check(frame)
    return frame


def _row(folder: Path) -> dict[str, Any]:
    path = folder / "model.json"
    if not path.is_file():
        raise DataError(f"{folder} holds no model.json", "a finished run", "run it again")
    about = json.loads(path.read_text(encoding="utf-8"))
    spec, found = about["spec"], about["health"] or {}
    return {
        "study": spec["study"],
        "corpus": spec["corpus"]["name"],
        "method": spec["method"],
        "seed": spec["seed"],
        "status": about["status"],
        "gate": found.get("kind", "none"),
        **{name: found.get(name) for name in MEASURES},
        "gene_sets": about.get("gene_sets", ""),  # models of before it was noted lack it
    }
