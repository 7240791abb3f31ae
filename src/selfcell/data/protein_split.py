"""Training cells, test cells and nested draws of one protein target, as explicit lists of cells.

A protein target may be learned on one data set and tested on another; only proteins that both
measured are predicted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from selfcell.data.registry import NAME
from selfcell.data.section import Section
from selfcell.data.specs import Column, CorpusSource
from selfcell.data.splits import COLUMNS, UNKNOWN, matches
from selfcell.errors import DataError
from selfcell.keys import generator
from selfcell.provenance import short_hash

LEAST_TEST, LEAST_PROTEINS, SHARE = 20, 3, 0.8


class ProteinSplit(Section):
    """Which cells proteins are learned on, and which they are predicted for."""

    name: str = Field(pattern=NAME)
    """Names the target in every table."""
    train: CorpusSource
    """Cells with RNA and proteins to learn on."""
    test: CorpusSource | None = None
    """Cells to predict; null: a share of the training cells, held out at random."""
    test_fraction: float = Field(0.5, gt=0, lt=1)
    """That share, where `test` is null."""
    n_train: tuple[int | Literal["all"], ...] = Field((50, 200, 1000, "all"), min_length=1)
    """Training cells of each regime, ascending; "all" is 80 % of them, and so is a number that
    there are not enough cells for."""
    draws: int = Field(10, ge=1, le=1000)
    """Draws of training cells per regime, nested across regimes."""
    shared: tuple[Column, ...] = ()
    """Columns whose values may stand on both sides; the audit refuses shared donors that are not
    declared here."""

    @model_validator(mode="after")
    def _cells(self) -> Self:
        sizes = [float("inf") if n == "all" else n for n in self.n_train]
        if sizes != sorted(set(sizes)) or sizes[0] < 10:
            raise ValueError("n_train must be distinct, >= 10 and ascending, 'all' last")
        if self.train.pool_of or (self.test and self.test.pool_of):
            raise ValueError("train and test of a protein target take where, not pool_of")
        return self

    @property
    def datasets(self) -> tuple[str, str]:
        """Data sets of the training and of the test cells."""
        return self.train.dataset, (self.test or self.train).dataset


def make_split(
    spec: ProteinSplit, obs: Mapping[str, pd.DataFrame], proteins: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Divide the cells of a protein target.

    Args:
        obs: by data set, one row per cell, indexed by cell id. proteins: by data set, their names.

    Returns:
        JSON-ready, with the keys that a target's split has too: task, target, dataset (of the
        test cells), pool_dataset, hash, pool, test, pool_left_out and test_left_out (empty),
        shared, unknown, draws (by regime, sorted positions in `pool` of each draw), and
        proteins (names on both sides, sorted).

    Raises:
        DataError: a cell on both sides, fewer than 20 test or 20 training cells, fewer than 3
            shared proteins, or what `splits.matches` raises.
    """
    ours, theirs = spec.datasets
    what = f"protein target {spec.name!r}"
    pool = obs[ours].index[matches(obs[ours], spec.train.where, what)].tolist()
    if spec.test is None:
        order = generator("protein test", spec.name).permutation(len(pool))
        held = set(order[: int(spec.test_fraction * len(pool) + 0.5)].tolist())
        test = [cell for place, cell in enumerate(pool) if place in held]
        pool = [cell for place, cell in enumerate(pool) if place not in held]
    else:
        test = obs[theirs].index[matches(obs[theirs], spec.test.where, what)].tolist()
    both = set(pool) & set(test)
    names = sorted(set(proteins[ours]) & set(proteins[theirs]))
    _check(what, both, min(len(pool), len(test)), names)
    used = pd.concat([obs[ours].loc[pool], obs[theirs].loc[test]])
    content: dict[str, Any] = {
        "task": "protein",
        "target": spec.name,
        "dataset": theirs,
        "pool_dataset": ours,
        "shared": sorted(spec.shared),
        "unknown": [name for name in COLUMNS if used[name].isin(UNKNOWN).any()],
        "pool": pool,
        "test": test,
        "pool_left_out": [],
        "test_left_out": [],
        "draws": _draws(spec, len(pool)),
        "proteins": names,
    }
    return {**content, "hash": short_hash(content)}


def _check(what: str, both: set[str], cells: int, names: Sequence[str]) -> None:
    if both:
        got = f"{what}: {len(both)} cells on both sides of the split"
        raise DataError(got, "no cell in training and test", "make train and test disjoint")
    if cells < LEAST_TEST or len(names) < LEAST_PROTEINS:
        raise DataError(
            f"{what}: {cells} cells on the smaller side, {len(names)} shared proteins",
            f"{LEAST_TEST} cells on each, {LEAST_PROTEINS} proteins",
            "choose other cells; proteins are matched by name",
        )


def _draws(spec: ProteinSplit, cells: int) -> dict[str, list[list[int]]]:
    """Nested: prefixes of one permutation a draw, of at most 80 % of the cells, so that draws
    differ even where the pool is used up."""
    most = int(SHARE * cells)
    draws: dict[str, list[list[int]]] = {str(n): [] for n in spec.n_train}
    for draw in range(spec.draws):
        order = generator("protein draw", spec.name, draw).permutation(cells)
        for n in spec.n_train:
            taken = most if n == "all" else min(n, most)
            draws[str(n)].append(sorted(order[:taken].tolist()))
    return draws
