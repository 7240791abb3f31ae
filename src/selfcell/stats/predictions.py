"""Per-cell predictions, kept beside the scores so that test cells can be resampled; and costs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfcell.errors import DataError, intact
from selfcell.stats.schema import Column, Table
from selfcell.stats.table import NAME, RUN

PREDICTIONS = Table(
    "predictions",
    (*RUN, Column("predicted", "codes")),
    key=(
        *("study", "target", "split", "corpus", "method", "init", "mode", "readout"),
        *("regime", "seed", "draw"),
    ),
)

COSTS = Table(
    "costs",
    (
        Column("study", pattern=NAME),
        Column("rule", pattern=NAME),
        Column("corpus", pattern=NAME),
        Column("target", pattern=NAME),
        Column("method", pattern=NAME),
        Column("seed", "integer", minimum=0),
        Column("wall_s", "number", minimum=0),
        Column("cpu_s", "number", minimum=0),
        Column("gpu_s", "number", minimum=0, before=0.0),
        Column("peak_mb", "number", minimum=0),
        Column("run_hash", pattern=NAME),
    ),
    key=("study", "rule", "target", "corpus", "method", "seed", "run_hash"),
)


@dataclass(frozen=True)
class Truth:
    """What the statistics need of a split file.

    Attributes:
        target: name of the target.
        classes: types that are scored; a class code is a position in it.
        code_N: true class of each of the N test cells.
        donors_N: donor of each test cell; "" or "unknown" where not known.
        pool: number of training cells of each class, in the order of `classes`.
        shared: what training pool and test cells share by design, such as "donor".
    """

    target: str
    classes: Sequence[str]
    code_N: np.ndarray
    donors_N: np.ndarray
    pool: Sequence[int]
    shared: Sequence[str] = ()

    @property
    def donors(self) -> list[str]:
        """The known donors of the test cells, sorted."""
        return sorted(set(self.donors_N.tolist()) - {"", "unknown"})


def read_truth(path: Path | str) -> Truth:
    """Read the truth of one split file. Raises DataError for a label outside the class list."""
    with intact(path):
        split = json.loads(Path(path).read_text())
    missing = {"target", "classes", "test_labels", "test_donors", "pool_labels"} - set(split)
    if missing:
        raise DataError(f"{path}: keys {sorted(missing)} missing", "a split file")
    place = {label: code for code, label in enumerate(split["classes"])}
    foreign = sorted(set(split["test_labels"]) - set(place))
    if foreign:
        raise DataError(f"{path}: test labels outside the class list: {foreign[:3]}", "its classes")
    pool = [split["pool_labels"].count(label) for label in split["classes"]]
    return Truth(
        target=split["target"],
        classes=list(split["classes"]),
        code_N=np.array([place[label] for label in split["test_labels"]], dtype=np.int16),
        donors_N=np.array([str(donor or "") for donor in split["test_donors"]], dtype=object),
        pool=pool,
        shared=list(split.get("shared", [])),
    )


def read_truths(paths: Iterable[Path | str]) -> dict[str, Truth]:
    """Read split files into a mapping by target."""
    truths = [read_truth(path) for path in paths]
    return {truth.target: truth for truth in truths}
