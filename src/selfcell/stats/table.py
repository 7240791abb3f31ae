"""The score table: one row per measurement. Everything downstream reads only this.

The documentation of each column is `workflow/schemas/scores.schema.yaml`; a test keeps it and
this module in step.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from selfcell.errors import DataError
from selfcell.stats.schema import Column, Table

TASKS = ("annotate", "reconstruction", "protein", "integrate", "unseen")
READOUTS = (
    *("head", "probe", "prototype", "knn1", "knn5", "knn5_drop"),
    *("decoder", "decoder_nb", "ridge", "none"),
)
MODES = ("frozen", "fine-tuned", "baseline")
PROTOCOLS = ("intended", "published", "mixed")
STATUSES = ("ok", "collapsed", "not_learned", "diverged")
REGIME = r"[1-9][0-9]*|all|none"
NAME = r"[A-Za-z0-9_.+-]+"

# The columns that name an arm's run within a study; shared with the predictions table.
RUN = (
    Column("study", pattern=NAME),
    Column("corpus", pattern=NAME),
    Column("target", pattern=NAME),
    Column("split", pattern=NAME),
    Column("method", pattern=NAME),
    Column("init", allowed=("pretrained", "supervised", "random", "none")),
    Column("regime", pattern=REGIME),
    Column("seed", "integer", minimum=0),
    Column("draw", "integer", minimum=0),
    Column("readout", allowed=READOUTS),
    Column("mode", allowed=MODES),
)
_RUN = {column.name: column for column in RUN}

SCORES = Table(
    "scores",
    (
        _RUN["study"],
        Column("protocol", allowed=PROTOCOLS),
        Column("task", allowed=TASKS),
        *(_RUN[name] for name in ("corpus", "target", "split", "method", "init", "regime")),
        *(_RUN[name] for name in ("seed", "draw", "readout", "mode")),
        Column("level", allowed=("overall", "type", "protein", "genes")),
        Column("label", empty=True),
        Column("metric", pattern=r"[a-z0-9_]+"),
        Column("value", "number", nullable=True),
        Column("higher_is_better", "boolean"),
        Column("status", allowed=STATUSES),
        Column("n_labels", "integer", minimum=0),
        Column("n_train", "integer", minimum=0),
        Column("n_test", "integer", minimum=1),
        Column("run_hash", pattern=NAME),
    ),
    key=(
        *("study", "protocol", "task", "target", "split", "corpus", "method", "init", "mode"),
        *("readout", "regime", "seed", "draw", "level", "label", "metric"),
    ),
)
COLUMNS = SCORES.names

# Metrics of these lie in [0, 1]; other tasks have unbounded ones.
_BOUNDED_TASKS = ("annotate", "integrate", "unseen")


def validate(frame: pd.DataFrame) -> None:
    """Check a score table. Raises DataError naming the first offending row and column.

    Beyond each column's own values: `value` is empty where status is "diverged", may be empty
    where it is "collapsed", and is a number otherwise; metrics of annotation, integration and
    unseen data lie in [0, 1]; `label` is filled at every level but "overall".
    """
    SCORES.check(frame)
    value = frame["value"].astype(float)
    status, named = frame["status"], frame["level"] != "overall"
    rules = (
        (value.isna() & status.isin(["ok", "not_learned"]), "value", "a number for this status"),
        (value.notna() & (status == "diverged"), "value", "nothing where status is diverged"),
        (
            frame["task"].isin(_BOUNDED_TASKS) & ((value < 0) | (value > 1)),
            "value",
            "a number in [0, 1]",
        ),
        (
            named == (frame["label"] == ""),
            "label",
            "a type, protein or what befell the genes, empty at level overall",
        ),
    )
    for bad, column, needed in rules:
        if bad.any():
            row = int(np.argmax(bad.to_numpy()))
            SCORES.refuse(row, column, frame[column].iloc[row], needed)


def write(frame: pd.DataFrame, path: Path | str) -> None:
    """Validate and write; the same rows in any order give the same bytes."""
    validate(frame)
    SCORES.write(frame, path)


def read(path: Path | str) -> pd.DataFrame:
    """Read and validate one score file."""
    frame = SCORES.read(path)
    validate(frame)
    return frame


def concat(paths: Iterable[Path | str]) -> pd.DataFrame:
    """Read many score files as one valid table, in canonical order."""
    frame = SCORES.concat(paths)
    validate(frame)
    return frame


def overall(frame: pd.DataFrame, metric: str, task: str = "annotate") -> pd.DataFrame:
    """Rows of one overall metric of one task, under the study's own protocol.

    Raises DataError if there is none.
    """
    rows = frame[(frame.task == task) & (frame.level == "overall") & (frame.metric == metric)]
    if rows.empty:
        raise DataError(f"no overall {metric} of task {task} in the score table", "one at least")
    return of_study(rows)


def of_study(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows under the protocol of the study they come from: the intended one if it is there, since
    re-scores are under the published one in any study; never what is between the two."""
    own = "intended" if (rows.protocol == "intended").any() else "published"
    return rows[rows.protocol == own]
