import json
from pathlib import Path

import numpy as np
import pytest

from selfcell.data.specs import LabelSpec
from selfcell.data.splits import read_split, read_splits, side_ids
from selfcell.errors import ConfigError, DataError, StoreError
from tests.data.factory import FEW, make_cells, split_of


def drawn(split: dict, regime: str, draw: int) -> set[str]:
    return {split["pool"][i] for i in split["draws"][regime][draw]}


def test_column_split_holds_the_named_donors_and_no_cell_twice() -> None:
    cells = make_cells()
    split = split_of(cells)
    assert set(split["pool_donors"]) == {"d0", "d1"}
    assert set(split["test_donors"]) == {"d2", "d3"}
    assert split["pool_labels"] == cells.obs.loc[split["pool"], "label"].tolist()
    assert split["test_labels"] == cells.obs.loc[split["test"], "label"].tolist()
    assert not set(split["pool"]) & set(split["test"])
    assert split["unknown"] == ["batch"]
    assert split["unused"] == 0


def test_cells_on_no_side_are_unused() -> None:
    split = split_of(make_cells(n=200), train=["d0", "d1"], test=["d2"])
    assert split["unused"] == 50


def test_where_split_takes_columns_together() -> None:
    cells = make_cells(n=400)
    split = split_of(
        cells,
        kind="where",
        train={"condition": ["CTRL"], "donor": ["d1"]},
        test={"condition": ["STIM"], "donor": ["d0", "d2"]},
    )
    pool = cells.obs.loc[side_ids(split, "pool")]
    assert set(pool["condition"]) == {"CTRL"}
    assert set(pool["donor"]) == {"d1"}
    assert set(split["test_donors"]) == {"d0", "d2"}


def test_fraction_split_is_stratified_by_label() -> None:
    cells = make_cells(n=300)
    split = split_of(cells, kind="fraction", test_fraction=0.3)
    for label, total in cells.obs["label"].value_counts().items():
        assert split["test_labels"].count(label) == int(0.3 * total + 0.5)


def test_fraction_by_donor_keeps_donors_whole() -> None:
    split = split_of(make_cells(), kind="fraction", by="donor", seed=2)
    assert len(set(split["pool_donors"])) == len(set(split["test_donors"])) == 2
    assert not set(split["pool_donors"]) & set(split["test_donors"])


@pytest.mark.parametrize("by", ["cell", "donor"])
def test_a_fraction_within_some_cells_leaves_the_others_out(by: str) -> None:
    cells = make_cells(n=400)
    split = split_of(cells, kind="fraction", by=by, within={"condition": ["CTRL"]})
    used = [*side_ids(split, "pool"), *side_ids(split, "test")]
    assert set(cells.obs.loc[used, "condition"]) == {"CTRL"}
    assert split["unused"] == (cells.obs["condition"] != "CTRL").sum() > 0
    with pytest.raises(DataError, match="no cell has condition 'NONE'"):
        split_of(cells, kind="fraction", within={"condition": ["NONE"]})
    with pytest.raises(ValueError, match="kind column takes no within"):
        split_of(cells, within={"condition": ["CTRL"]})


def test_fraction_by_donor_needs_known_donors() -> None:
    with pytest.raises(DataError, match="donors are known"):
        split_of(make_cells(donor="unknown"), kind="fraction", by="donor")


def test_the_same_spec_gives_the_same_split_and_another_seed_another() -> None:
    cells = make_cells()
    one, two = (split_of(cells, kind="fraction", seed=s) for s in (0, 0))
    assert json.dumps(one) == json.dumps(two)
    other = split_of(cells, kind="fraction", seed=1)
    assert other["test"] != one["test"]
    assert other["hash"] != one["hash"]


def test_draws_are_nested_and_differ() -> None:
    split = split_of(make_cells(n=400), LabelSpec(min_test=5, regimes=(3, 10, 30, "all"), draws=3))
    for draw in range(3):
        three, ten, thirty, everything = (
            drawn(split, regime, draw) for regime in ("3", "10", "30", "all")
        )
        assert three < ten < thirty < everything < set(split["pool"])
    for regime in split["draws"]:
        assert drawn(split, regime, 0) != drawn(split, regime, 1)


def test_draws_take_the_stated_number_of_each_type() -> None:
    split = split_of(make_cells())
    labels = np.array(split["pool_labels"])
    for regime, draws in split["draws"].items():
        for positions in draws:
            assert positions == sorted(set(positions))
            for label, n in split["taken"][regime].items():
                assert (labels[positions] == label).sum() == n
                limit = -(-4 * (labels == label).sum() // 5)
                assert n == limit if regime == "all" else n == min(int(regime), limit)


def test_a_small_pool_gives_80_percent_and_at_least_one() -> None:
    cells = make_cells(n=300)
    labels = cells.obs["label"].to_numpy().copy()
    pool = np.isin(cells.obs["donor"], ["d0", "d1"])
    labels[np.flatnonzero(pool & (labels == "delta"))[4:]] = "beta"
    cells.obs["label"] = labels
    split = split_of(cells)
    assert [split["taken"][r]["delta"] for r in ("3", "10", "30", "all")] == [3, 4, 4, 4]


def test_draws_do_not_depend_on_the_other_types() -> None:
    cells = make_cells(n=200)
    full = split_of(cells)
    fewer = split_of(cells[cells.obs["label"] != "delta"].copy())
    beta = {c for c, t in zip(full["pool"], full["pool_labels"], strict=True) if t == "beta"}
    assert drawn(full, "10", 1) & beta == drawn(fewer, "10", 1) & beta != set()


def test_rare_and_absent_types_are_left_out_on_both_sides() -> None:
    cells = make_cells(n=200)
    labels = cells.obs["label"].to_numpy().copy()
    pool = np.flatnonzero(np.isin(cells.obs["donor"], ["d0", "d1"]))
    test = np.flatnonzero(np.isin(cells.obs["donor"], ["d2", "d3"]))
    labels[pool[:2]] = "rare in pool"
    labels[test[:20]] = "rare in pool"
    labels[pool[2:12]] = "rare at test"
    labels[test[20:24]] = "rare at test"
    labels[test[24:44]] = "only at test"
    labels[pool[12:22]] = "only in pool"
    labels[pool[22:30]] = labels[test[44:52]] = "unknown"
    cells.obs["label"] = labels
    split = split_of(cells)
    assert split["classes"] == ["alpha", "beta", "delta"]
    found = {
        row["label"]: (row["reason"], row["n_pool"], row["n_test"]) for row in split["left_out"]
    }
    assert found == {
        "rare in pool": ("rare in training", 2, 20),
        "rare at test": ("rare in test", 10, 4),
        "only at test": ("absent from training", 0, 20),
        "only in pool": ("absent from test", 10, 0),
        "unknown": ("unlabelled", 8, 8),
    }
    assert set(split["pool_labels"]) == set(split["test_labels"]) == set(split["classes"])
    assert len(side_ids(split, "pool")) == len(side_ids(split, "test")) == 100


def test_fewer_than_two_types_is_an_error() -> None:
    with pytest.raises(DataError, match="1 usable types; left out: beta"):
        split_of(make_cells(label=["alpha"] * 116 + ["beta"] * 4))


def test_an_unknown_value_names_those_there_are() -> None:
    with pytest.raises(DataError, match=r"donor 'd9'.*d0, d1, d2, d3"):
        split_of(make_cells(), train=["d9"])


def test_a_cell_on_both_sides_is_an_error() -> None:
    sides = {"train": {"donor": ["d0", "d2"]}, "test": {"donor": ["d2", "d3"]}}
    with pytest.raises(DataError, match="30 cells on both sides"):
        split_of(make_cells(), kind="where", **sides)


def test_repeated_cell_ids_are_an_error() -> None:
    cells = make_cells()
    cells.obs_names = ["a:x"] * cells.n_obs
    with pytest.raises(DataError, match="not unique"):
        split_of(cells)


def test_an_altered_split_file_is_refused(tmp_path: Path) -> None:
    split = split_of(make_cells())
    path = tmp_path / "t.json"
    path.write_text(json.dumps(split))
    assert read_split(path) == split
    split["test"][0] = split["pool"][0]
    path.write_text(json.dumps(split))
    with pytest.raises(StoreError, match="altered"):
        read_split(path)


def test_two_splits_of_one_target_are_refused(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).write_text(json.dumps(split_of(make_cells())))
    assert list(read_splits([tmp_path / "x"])) == ["t"]
    with pytest.raises(DataError, match="two splits"):
        read_splits([tmp_path / "x", tmp_path / "y"])


def test_values_of_a_mapping_are_columns() -> None:
    with pytest.raises((ConfigError, ValueError), match="label"):
        split_of(make_cells(), FEW, kind="where", train={"label": ["x"]}, test={"donor": ["d1"]})
