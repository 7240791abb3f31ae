"""Training pool, test set and nested label draws of one target, as explicit lists of cells.

The test set and the class list are the same for every arm and every label regime.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from selfcell.data.specs import LabelSpec, SplitSpec
from selfcell.errors import DataError, StoreError, intact
from selfcell.keys import generator
from selfcell.provenance import short_hash

COLUMNS = ("donor", "batch", "condition")
UNKNOWN = ("", "unknown")


def make_split(obs: pd.DataFrame, spec: SplitSpec, labels: LabelSpec) -> dict[str, Any]:
    """Divide the cells of a data set; see `SplitSpec` and `LabelSpec` for the rules.

    Args:
        obs: one row per cell, indexed by unique cell id, with string columns label, donor, batch
            and condition ("" or "unknown" where a value is not known).

    Returns:
        JSON-ready: target, dataset, hash, classes, left_out (types and why), shared, unknown
        (columns with unknown values among these cells), unused (number of cells on no side), pool
        and test (cell ids of the classes), pool_left_out and test_left_out (ids of the other
        types), pool_labels, test_labels, pool_donors, test_donors, draws (by regime, one sorted
        list of positions in `pool` per draw), taken (by regime, labels per type).

    Raises:
        DataError: a value that the column does not hold, a cell on both sides, an empty side,
            donors asked for and not known, or fewer than 2 types left.
    """
    if not obs.index.is_unique:
        raise DataError(f"{spec.dataset}: cell ids are not unique", "one id a cell")
    is_pool, is_test = _sides(obs, spec)
    _check_sides(is_pool, is_test, spec)
    classes, left_out = _classes(obs["label"], is_pool, is_test, labels)
    if len(classes) < 2:
        raise DataError(
            f"target {spec.target!r} has {len(classes)} usable types; left out: "
            + "; ".join(f"{row['label']} ({row['reason']})" for row in left_out),
            f"2 types with >= {labels.min_test} test and >= {labels.min_train} training cells",
            "give more cells, or lower min_test or min_train",
        )
    kept = obs["label"].isin(classes).to_numpy()
    pool, test = obs[is_pool & kept], obs[is_test & kept]
    used = obs[is_pool | is_test]
    draws, taken = _draws(pool["label"], classes, spec, labels)
    content: dict[str, Any] = {
        "target": spec.target,
        "dataset": spec.dataset,
        "classes": classes,
        "left_out": left_out,
        "shared": sorted(spec.shared),
        "unknown": [name for name in COLUMNS if used[name].isin(UNKNOWN).any()],
        "unused": int(len(obs) - len(used)),
        "pool": pool.index.tolist(),
        "test": test.index.tolist(),
        "pool_left_out": obs.index[is_pool & ~kept].tolist(),
        "test_left_out": obs.index[is_test & ~kept].tolist(),
        "pool_labels": pool["label"].tolist(),
        "test_labels": test["label"].tolist(),
        "pool_donors": pool["donor"].tolist(),
        "test_donors": test["donor"].tolist(),
        "draws": draws,
        "taken": taken,
    }
    return {**content, "hash": short_hash(content)}


def read_split(path: Path | str) -> dict[str, Any]:
    """Read a split file. Raises StoreError where its content is not what its hash says."""
    with intact(path):
        split: dict[str, Any] = json.loads(Path(path).read_text())
    if split.get("hash") != content_hash(split):
        raise StoreError(
            f"split {path} was altered: its content does not fit its hash",
            remedy="delete it and run again",
        )
    return split


def read_splits(paths: Iterable[Path | str]) -> dict[str, dict[str, Any]]:
    """Read split files, by target. Raises StoreError, and DataError for a target given twice."""
    splits = [read_split(path) for path in paths]
    by_target = {split["target"]: split for split in splits}
    if len(by_target) != len(splits):
        raise DataError("two splits of one target", "one split per target")
    return by_target


def content_hash(split: Mapping[str, Any]) -> str:
    """Hash of a split's content, 12 hexadecimal digits."""
    return short_hash({key: value for key, value in split.items() if key != "hash"})


def side_ids(split: Mapping[str, Any], side: str) -> list[str]:
    """All cells of a side ("pool" or "test"), the types left out included."""
    return [*split[side], *split[f"{side}_left_out"]]


def pool_dataset(split: Mapping[str, Any]) -> str:
    """The data set of a split's pool: that of its test cells, unless the split says otherwise."""
    return str(split.get("pool_dataset", split["dataset"]))


def matches(obs: pd.DataFrame, where: Mapping[Any, Sequence[str]], what: str) -> np.ndarray:
    """Bool per cell: every column of `where` holds one of its values.

    Raises:
        DataError: a value that no cell holds, naming those there are.
    """
    keep = np.ones(len(obs), dtype=bool)
    for column, values in where.items():
        there = sorted(set(obs[column]))
        for value in values:
            if value not in there:
                raise DataError(
                    f"{what}: no cell has {column} {value!r}", f"one of: {', '.join(there)}"
                )
        keep &= obs[column].isin(values).to_numpy()
    return keep


def _sides(obs: pd.DataFrame, spec: SplitSpec) -> tuple[np.ndarray, np.ndarray]:
    what = f"split of target {spec.target!r}"
    if spec.kind != "fraction":
        train, test = spec.sides()
        return matches(obs, train, what), matches(obs, test, what)
    among = matches(obs, spec.within, what)
    is_pool, is_test = np.zeros((2, len(obs)), dtype=bool)
    is_pool[among], is_test[among] = _drawn(obs[among], spec)
    return is_pool, is_test


def _drawn(obs: pd.DataFrame, spec: SplitSpec) -> tuple[np.ndarray, np.ndarray]:
    if spec.by == "donor":
        return _by_donor(obs["donor"], spec)
    is_test = np.zeros(len(obs), dtype=bool)
    for label, rows in _rows_by(obs["label"]).items():
        order = generator("split", spec.target, spec.seed, label).permutation(rows)
        is_test[order[: int(spec.test_fraction * len(rows) + 0.5)]] = True
    return ~is_test, is_test


def _by_donor(donor: pd.Series, spec: SplitSpec) -> tuple[np.ndarray, np.ndarray]:
    """Whole donors on either side; cells without a known donor on neither."""
    donors = sorted(set(donor) - set(UNKNOWN))
    if len(donors) < 2:
        raise DataError(
            f"target {spec.target!r} is split by donor, but {len(donors)} donors are known",
            "at least 2",
            "name the donor column, or split by cell",
        )
    n_test = min(max(1, int(spec.test_fraction * len(donors) + 0.5)), len(donors) - 1)
    order = generator("split", spec.target, spec.seed, "donor").permutation(len(donors))
    test = {donors[i] for i in order[:n_test]}
    is_test = donor.isin(test).to_numpy()
    return donor.isin(set(donors) - test).to_numpy(), is_test


def _check_sides(is_pool: np.ndarray, is_test: np.ndarray, spec: SplitSpec) -> None:
    both = int((is_pool & is_test).sum())
    if both:
        raise DataError(
            f"target {spec.target!r}: {both} cells on both sides of the split",
            "no cell in training and test",
            "make the values of train and test disjoint",
        )
    if not is_pool.any() or not is_test.any():
        side = "test" if is_pool.any() else "training"
        raise DataError(f"target {spec.target!r}: no cell on the {side} side", "cells on both")


def _classes(
    label: pd.Series, is_pool: np.ndarray, is_test: np.ndarray, spec: LabelSpec
) -> tuple[list[str], list[dict[str, Any]]]:
    classes, left_out = [], []
    for name, rows in _rows_by(label).items():
        n_pool, n_test = int(is_pool[rows].sum()), int(is_test[rows].sum())
        reason = _reason(name, n_pool, n_test, spec)
        if not reason:
            classes.append(name)
        elif n_pool or n_test:
            row = {"label": name, "reason": reason, "n_pool": n_pool, "n_test": n_test}
            left_out.append(row)
    return classes, left_out


def _reason(name: str, n_pool: int, n_test: int, spec: LabelSpec) -> str:
    """Why a type is left out; empty if it is not."""
    if name in UNKNOWN:
        return "unlabelled"
    if n_pool < spec.min_train:
        return "rare in training" if n_pool else "absent from training"
    if n_test < spec.min_test:
        return "rare in test" if n_test else "absent from test"
    return ""


def _draws(
    label: pd.Series, classes: Sequence[str], spec: SplitSpec, labels: LabelSpec
) -> tuple[dict[str, list[list[int]]], dict[str, dict[str, int]]]:
    """Nested draws: each takes a prefix of one permutation per type and draw.

    A type gives at most 80 % of its pool, so that draws differ even where the pool is used up.
    """
    rows = _rows_by(label)
    limit = {name: max(1, -(-4 * len(rows[name]) // 5)) for name in classes}
    taken = {
        str(regime): {t: limit[t] if regime == "all" else min(int(regime), limit[t]) for t in limit}
        for regime in labels.regimes
    }
    draws: dict[str, list[list[int]]] = {regime: [] for regime in taken}
    for draw in range(labels.draws):
        order = {
            t: generator("draw", spec.target, spec.seed, draw, t).permutation(rows[t])
            for t in classes
        }
        for regime, size in taken.items():
            chosen = np.concatenate([order[t][: size[t]] for t in classes])
            draws[regime].append(sorted(chosen.tolist()))
    return draws, taken


def _rows_by(values: pd.Series) -> dict[str, np.ndarray]:
    """Positions of each value, values in sorted order."""
    array = values.to_numpy(dtype=str)
    return {str(value): np.flatnonzero(array == value) for value in sorted(set(array.tolist()))}
