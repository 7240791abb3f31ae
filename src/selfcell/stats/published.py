"""The runs published with the paper, read with checks, and compared again from run level up.

The runs differ in the randomness of fine-tuning alone: one pre-trained checkpoint (all repeats of
pre-training share seed 0), one split, one test set. An interval over them is one of retraining
noise. It says nothing of another pre-training, split or set of donors. No two runs share a seed,
so nothing can be paired and the comparison is Welch's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from selfcell.claims import Printed, Published, Runs
from selfcell.errors import DataError
from selfcell.stats.crossed import Estimate, Part
from selfcell.stats.schema import Column, Table

FOLDER = Path("resources/published")


def _table(
    name: str, texts: str, key: str, numbers: str, empty: str = "", more: Sequence[Column] = ()
) -> Table:
    """A table of text columns, numbers and numbers that may be missing."""
    columns = (
        *(Column(each) for each in texts.split()),
        *(Column(each, "number") for each in numbers.split()),
        *(Column(each, "number", nullable=True) for each in empty.split()),
        *more,
    )
    return Table(f"published_{name}", columns, tuple(key.split()))


def _count(name: str) -> Column:
    return Column(name, "integer", minimum=1)


# A run named twice (the random networks of Tabula Sapiens) is told apart by its score.
TABLES: Mapping[str, Table] = {
    "classification_runs": _table(
        "classification_runs",
        texts="dataset run group",
        key="dataset group run micro_f1",
        numbers="micro_f1 macro_f1 weighted_f1 macro_precision macro_recall",
        more=(_count("n_test"), Column("in_paper_set", "boolean")),
    ),
    "classification_agg": _table(
        "classification_agg",
        texts="dataset group",
        key="dataset group",
        numbers="micro macro macro_sd0 macro_min macro_max",
        empty="micro_sd macro_sd",
        more=(_count("n"), _count("ntest")),
    ),
    "multiomics_runs": _table(
        "multiomics_runs",
        texts="agg run group",
        key="agg group run",
        numbers="pearson spearman mse",
    ),
    "multiomics_agg": _table(
        "multiomics_agg",
        texts="agg group",
        key="agg group",
        numbers="pearson spearman mse",
        empty="psd ssd msd",
        more=(_count("n"),),
    ),
    "reconstruction_runs": _table(
        "reconstruction_runs",
        texts="dataset run group",
        key="dataset group run",
        numbers="ev_uniform ev_weighted mse",
    ),
    "reconstruction_agg": _table(
        "reconstruction_agg",
        texts="dataset group",
        key="dataset group",
        numbers="evw evu mse",
        empty="evw_sd mse_sd",
        more=(_count("n"),),
    ),
    **{
        name: _table(
            name,
            texts="cell_type",
            key="cell_type",
            numbers="f1_supervised f1_ssl",
            more=(_count("n_test"),),
        )
        for name in ("perclass_HLCA", "perclass_PBMC", "perclass_TabulaSapiens")
    },
}


def file_of(name: str, folder: Path = FOLDER) -> Path:
    """Where a table lies."""
    return folder / f"published_{name}.csv"


def read(name: str, folder: Path = FOLDER) -> pd.DataFrame:
    """Read and check one table of `TABLES`.

    Raises:
        DataError: the name or the file is unknown, or a cell is not what its column holds.
    """
    if name not in TABLES:
        raise DataError(f"there is no published table {name!r}", f"one of {sorted(TABLES)}")
    path = file_of(name, folder)
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}", "a csv file", "check out the file again") from error
    TABLES[name].check(frame)
    return frame


def welch(a: Printed, b: Printed) -> Estimate:
    """Mean of a minus mean of b; the parts of its variance give Welch's degrees of freedom.

    A single run without a spread of its own is given the other arm's, which the note says; with
    no spread at all the variance is unknown.

    Source: Welch (1947) Biometrika 34:28. Differs: the rule for a single run.
    """
    spreads = [_spread(arm) for arm in (a, b)]
    difference = a.mean - b.mean
    sizes = (a.n, b.n)
    if all(math.isnan(sd) for sd in spreads):
        return Estimate(difference, (), *sizes, "one number an arm: no spread")
    if not any(math.isnan(sd) for sd in spreads):
        arms = zip("ab", spreads, sizes, strict=True)
        parts = tuple(Part(name, sd**2 / n, n - 1) for name, sd, n in arms)
        return Estimate(difference, parts, *sizes)
    lone, known = (0, 1) if math.isnan(spreads[0]) else (1, 0)
    variance = spreads[known] ** 2 * (1 / sizes[lone] + 1 / sizes[known])
    note = "an arm of one run is given the spread of the other"
    return Estimate(difference, (Part("runs", variance, sizes[known] - 1),), *sizes, note)


def _spread(arm: Printed) -> float:
    """Standard deviation with ddof 1; NaN for a single run."""
    if arm.sd is None or arm.n == 1:
        return math.nan
    return arm.sd * math.sqrt((arm.n - arm.ddof) / (arm.n - 1))


def printed(published: Published) -> Estimate:
    """The published difference, from the numbers as printed."""
    return welch(published.a, published.b)


@dataclass(frozen=True)
class Again:
    """A claim computed from the published runs again.

    Attributes:
        estimate: of all runs that the paper's tables hold; its parts say how many of each arm.
        collapsed: how many of them collapsed, both arms together. They are in the estimate.
        note: what the estimate is without those, and with runs that the figures leave out.
    """

    estimate: Estimate
    collapsed: int
    note: str


def again(runs: Runs, folder: Path = FOLDER) -> Again:
    """Compare two groups of published runs: Welch, ddof 1, no run filtered out.

    Raises:
        DataError: a column, a value or a group is not in the table.
    """
    frame, partial = _by_run(runs, _selected(runs, read(runs.table, folder)))
    own, further = frame[frame["used"]], frame[~frame["used"]]
    result = _estimate(runs, own)
    notes = [result.note] if result.note else []
    bad = own["collapsed"]
    if bad.any():
        counts = [(g, int(bad[own["group"] == g].sum())) for g in (runs.a, runs.b)]
        said = ", ".join(f"{n} of {(own['group'] == g).sum()} of {g}" for g, n in counts if n)
        notes.append(f"collapsed: {said}; without them {shown(_estimate(runs, own[~bad]))}")
    if len(further):
        everything = shown(_estimate(runs, frame))
        notes.append(f"with stored runs that the figures leave out ({len(further)}) {everything}")
    if partial:
        notes.append(f"not compared: runs scored on some of the data sets alone ({partial})")
    return Again(result, int(bad.sum()), "; ".join(notes))


def _selected(runs: Runs, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the two groups."""
    collapse = [runs.collapsed.column] if runs.collapsed else []
    average = [runs.average_over] if runs.average_over else []
    for column in (*runs.where, runs.value, *collapse, *average):
        if column not in frame:
            raise DataError(
                f"table {runs.table} has no column {column!r}", f"one of {list(frame.columns)}"
            )
    for column, wanted in {**runs.where, "group": [runs.a, runs.b]}.items():
        missing = sorted(set(wanted) - set(frame[column]))
        if missing:
            got = f"table {runs.table}, column {column}: no rows of {missing}"
            raise DataError(got, f"some of {sorted(set(frame[column]))}")
        frame = frame[frame[column].isin(wanted)]
    return frame


def _by_run(runs: Runs, frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """One row a run: group, value, collapsed, used (in the paper's tables). And how many runs
    were left out since they miss some of the values averaged over."""
    rows = pd.DataFrame({"group": frame["group"], "run": frame["run"], "value": frame[runs.value]})
    rows["collapsed"] = (
        frame[runs.collapsed.column] < runs.collapsed.below if runs.collapsed else False
    )
    rows["used"] = frame.get("in_paper_set", True)
    if not runs.average_over:
        return rows, 0
    each = rows.groupby(["group", "run"], sort=False)
    whole = each.size() == frame[runs.average_over].nunique()
    merged = each.agg({"value": "mean", "collapsed": "any", "used": "all"})
    return merged[whole].reset_index(), int((~whole).sum())


def _estimate(runs: Runs, rows: pd.DataFrame) -> Estimate:
    arms = []
    for group in (runs.a, runs.b):
        values = rows.loc[rows["group"] == group, "value"]
        if values.empty:
            raise DataError(f"table {runs.table}: no run of {group} is left", "one at least")
        sd = float(values.std(ddof=1)) if len(values) > 1 else None
        arms.append(Printed(arm=group, mean=float(values.mean()), sd=sd, n=len(values)))
    return welch(*arms)


def shown(estimate: Estimate) -> str:
    """An estimate and its 95 % interval as text."""
    low, high = estimate.interval()
    form = "+.4f" if abs(estimate.mean) < 1000 else "+.2g"
    text = format(estimate.mean, form)
    return text if math.isnan(low) else f"{text} [{low:{form}}, {high:{form}}]"


def rarity(count_T: np.ndarray, change_T: np.ndarray) -> Estimate:
    """Rank correlation of how rare a type is with how much it gains, on Fisher's z scale.

    Above zero if rarer types gain more. `np.tanh` of its mean and interval is the correlation.

    Args:
        count_T: (T,) cells of each type. change_T: (T,) its change; four types at the least.

    Where every type changes alike, or the ranks agree to the last one, the interval is unknown.

    Raises:
        DataError: fewer than four types.

    Source: Bonett & Wright (2000) Psychometrika 65:23, standard error of Fisher's z of Spearman's
    correlation, sqrt((1 + r^2 / 2) / (T - 3)). Differs: nothing.
    """
    from scipy import stats

    n = len(count_T)
    if n < 4:
        raise DataError(f"{n} cell types", "four at the least for a rank correlation")
    if np.ptp(count_T) == 0 or np.ptp(change_T) == 0:
        return Estimate(0.0, (), 1, n, "every type is alike")
    r = float(stats.spearmanr(-np.asarray(count_T), change_T).statistic)
    if abs(r) > 1 - 1e-9:
        return Estimate(math.copysign(math.inf, r), (), 1, n, "ranks agree to the last one")
    variance = (1 + r**2 / 2) / (n - 3)
    return Estimate(math.atanh(r), (Part("types", variance, math.inf),), 1, n)


def per_type(name: str, folder: Path = FOLDER) -> Estimate:
    """`rarity` of a published table by cell type: one run of each arm, types are the sample."""
    frame = read(name, folder)
    change_T = (frame["f1_ssl"] - frame["f1_supervised"]).to_numpy(float)
    return rarity(frame["n_test"].to_numpy(float), change_T)
