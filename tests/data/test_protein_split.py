"""Sides and draws of a protein target."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from selfcell.data.protein_split import ProteinSplit, make_split
from selfcell.data.splits import content_hash, pool_dataset
from selfcell.errors import DataError

NAMES = {"a": ["CD3", "CD4", "CD8", "only_a"], "b": ["CD8", "CD4", "CD3", "only_b"]}


def obs(name: str, n: int = 60) -> pd.DataFrame:
    """Cells of two batches."""
    columns = {
        "label": "unknown", "donor": "unknown", "condition": "unknown",
        "batch": [f"batch{i % 2}" for i in range(n)],
    }  # fmt: skip
    return pd.DataFrame(columns, index=[f"{name}:{i}" for i in range(n)])


OBS = {"a": obs("a"), "b": obs("b")}


def spec(**changes: Any) -> ProteinSplit:
    fields: dict[str, Any] = {
        "name": "p", "train": {"dataset": "a"}, "test": {"dataset": "b"}, "n_train": (10, "all"),
        "draws": 3,
    }  # fmt: skip
    return ProteinSplit(**{**fields, **changes})


def test_from_one_data_set_to_another_over_shared_proteins() -> None:
    split = make_split(spec(), OBS, NAMES)
    assert split["proteins"] == ["CD3", "CD4", "CD8"]
    assert split["pool"] == OBS["a"].index.tolist()
    assert split["test"] == OBS["b"].index.tolist()
    assert (pool_dataset(split), split["dataset"]) == ("a", "b")
    assert split["hash"] == content_hash(split)
    assert split["shared"] == []
    assert make_split(spec(shared=("donor",)), OBS, NAMES)["shared"] == ["donor"]


def test_draws_are_nested_and_take_at_most_four_fifths() -> None:
    split = make_split(spec(n_train=(10, 30, 500, "all")), OBS, NAMES)
    assert [len(draws[0]) for draws in split["draws"].values()] == [10, 30, 48, 48]
    for draw in range(3):
        few, more, _, whole = (set(draws[draw]) for draws in split["draws"].values())
        assert few < more < whole
    assert split["draws"]["10"][0] != split["draws"]["10"][1]


def test_a_share_is_held_out_where_no_test_cells_are_named() -> None:
    split = make_split(spec(test=None, test_fraction=0.4), OBS, NAMES)
    assert len(split["test"]) == 24
    assert set(split["test"]) | set(split["pool"]) == set(OBS["a"].index)
    assert set(split["test"]).isdisjoint(split["pool"])
    assert split["proteins"] == sorted(NAMES["a"])
    assert split == make_split(spec(test=None, test_fraction=0.4), OBS, NAMES)


def test_sides_by_batch() -> None:
    sides = {
        "train": {"dataset": "a", "where": {"batch": ["batch0"]}},
        "test": {"dataset": "a", "where": {"batch": ["batch1"]}},
    }
    split = make_split(spec(**sides), OBS, NAMES)
    assert set(OBS["a"].batch[split["test"]]) == {"batch1"}


@pytest.mark.parametrize(
    ("changes", "names", "says"),
    [
        ({"test": {"dataset": "a"}}, NAMES, "on both sides"),
        ({}, {"a": ["CD3", "CD4"], "b": ["CD3", "CD4"]}, "2 shared proteins"),
        ({}, {"a": [], "b": ["CD3"]}, "0 shared proteins"),
        ({"test": None, "test_fraction": 0.1}, NAMES, "6 cells on the smaller side"),
        ({"train": {"dataset": "a", "where": {"batch": ["none"]}}}, NAMES, "no cell has batch"),
    ],
)
def test_what_cannot_be_split_is_refused(
    changes: dict[str, Any], names: dict[str, list[str]], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        make_split(spec(**changes), OBS, names)


@pytest.mark.parametrize(
    "changes",
    [{"n_train": (30, 10)}, {"n_train": (5,)}, {"train": {"dataset": "a", "pool_of": "t"}}],
)
def test_a_spec_without_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec(**changes)
