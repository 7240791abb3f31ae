from pathlib import Path
from typing import Any

import pytest
from anndata import AnnData

from selfcell.data.corpus import cells_hash, select
from selfcell.data.leakage import LEAST_COUNTS, audit
from selfcell.data.specs import CorpusSpec
from selfcell.data.splits import content_hash, side_ids
from selfcell.data.vocabulary import training_cells
from selfcell.errors import DataError
from selfcell.keys import generator
from tests.data.factory import corpus_of, make_cells, make_store, split_of

BASES = "ACGT"


class Study:
    """Data set a with target t, data set b, a corpus over b and the pool of t; all in order."""

    def __init__(self, folder: Path, a: AnnData | None = None, **split: Any) -> None:
        self.folder = folder
        self.a = make_cells("a", 200) if a is None else a
        self.b = make_cells("b", 60, genes=range(30))
        self.split = split_of(self.a, **split)
        self.corpora = [corpus_of([{"dataset": "a", "pool_of": "t"}, {"dataset": "b"}])]
        self.ids: dict[str, list[str]] = {}
        self.chosen_on: dict[str, Any] = {}

    def audit(self) -> list[dict[str, Any]]:
        stores = {name: make_store(self.folder, data, name) for name, data in self.cells().items()}
        obs = {name: store.obs for name, store in stores.items()}
        splits = {"t": self.split}
        ids = {spec.name: list(select(spec, obs, splits).ids) for spec in self.corpora}
        chosen = {
            name: {"cells": cells_hash(cells.ids)}
            for name, cells in training_cells(obs, self.corpora, splits).items()
        }
        chosen_on = chosen | self.chosen_on
        return audit(self.corpora, ids | self.ids, splits, stores, chosen_on)["checks"]

    def cells(self) -> dict[str, AnnData]:
        return {"a": self.a, "b": self.b}

    def rich_test_cell(self) -> str:
        """A test cell with enough counts that no other cell is equal to it by chance."""
        return next(c for c in self.split["test"] if self.a[c].X[:, :30].sum() >= LEAST_COUNTS)

    def copy_cell(self, test_cell: str, row: int, more: int = 0) -> None:
        """Plant the counts of a test cell in data set b, as far as b has its genes."""
        counts = self.b.X.toarray()
        counts[row] = self.a[test_cell].X.toarray()[0, :30]
        counts[row, 5] += more
        self.b.X = type(self.b.X)(counts)
        self.b.obs["total_counts"] = counts.sum(axis=1).astype(int) + 3


def status(rows: list[dict[str, Any]], check: str, corpus: str | None = None) -> list[str]:
    return [
        row["status"] for row in rows if row["check"] == check and corpus in (None, row["corpus"])
    ]


def test_a_clean_study_passes(tmp_path: Path) -> None:
    rows = Study(tmp_path).audit()
    assert {tuple(sorted(row)) for row in rows} == {
        ("check", "corpus", "detail", "n", "status", "target")
    }
    assert status(rows, "cells") == ["pass", "pass"]
    assert status(rows, "equal counts") == ["pass", "pass"]
    assert status(rows, "donor") == ["pass", "pass"]
    assert status(rows, "batch") == ["unknown"]
    assert status(rows, "vocabulary") == status(rows, "split hash") == ["pass"]
    assert not [row for row in rows if row["status"] == "fail"]


def test_a_test_cell_in_a_corpus(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.ids = {"c": [*side_ids(study.split, "pool"), study.split["test"][3]]}
    with pytest.raises(DataError, match=r"cells \(t, c\): 1 test cells in the corpus: a:cell"):
        study.audit()


def test_a_cell_in_pool_and_test(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.split["pool"][0] = study.split["test"][0]
    study.split["hash"] = content_hash(study.split)
    with pytest.raises(DataError, match="1 cells in pool and test"):
        study.audit()


def test_an_altered_split(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.split["shared"] = ["donor"]
    with pytest.raises(DataError, match="split hash"):
        study.audit()


def test_a_twin_of_a_test_cell_in_the_corpus(tmp_path: Path) -> None:
    study = Study(tmp_path)
    twin = study.rich_test_cell()
    study.copy_cell(twin, 11)
    with pytest.raises(DataError, match=f"{twin} = b:cell11; [0-9]+ of 100 have"):
        study.audit()


def test_a_twin_in_a_corpus_that_does_not_name_the_target(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.corpora = [corpus_of([{"dataset": "b"}], targets=[])]
    study.copy_cell(study.rich_test_cell(), 11)
    with pytest.raises(DataError, match="= b:cell11"):
        study.audit()


def test_a_twin_that_differs_by_one_count_passes(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.copy_cell(study.rich_test_cell(), 11, more=1)
    assert status(study.audit(), "equal counts") == ["pass", "pass"]


def test_a_twin_of_a_test_cell_in_the_pool(tmp_path: Path) -> None:
    study = Study(tmp_path)
    rows = study.a.obs_names.get_indexer([study.split["pool"][2], study.split["test"][2]])
    counts = study.a.X.toarray()
    counts[rows[0]] = counts[rows[1]]
    study.a.X = type(study.a.X)(counts)
    study.a.obs["total_counts"] = counts.sum(axis=1).astype(int)
    with pytest.raises(DataError, match=r"equal counts \(t, own_pool\)"):
        study.audit()


def test_cells_of_few_counts_may_be_equal(tmp_path: Path) -> None:
    study = Study(tmp_path)
    counts = study.b.X.toarray()
    counts[7] = 0
    counts[7, 0] = 4
    study.b.X = type(study.b.X)(counts)
    ours = study.a.X.toarray()
    ours[study.a.obs_names.get_loc(study.split["test"][0]), :30] = counts[7]
    study.a.X = type(study.a.X)(ours)
    assert status(study.audit(), "equal counts") == ["pass", "pass"]


def test_where_no_test_cell_has_the_counts_to_tell_the_answer_is_unknown(tmp_path: Path) -> None:
    thin = make_cells("a", 200)
    thin.X = type(thin.X)((thin.X.toarray() > 0).astype("float32"))
    rows = Study(tmp_path, thin).audit()
    assert status(rows, "equal counts") == ["unknown", "unknown"]


@pytest.mark.parametrize("counts_equal", [True, False])
def test_equal_barcodes_are_shown_and_refused_where_counts_are_equal(
    tmp_path: Path, counts_equal: bool
) -> None:
    study = Study(tmp_path)
    for name, cells in study.cells().items():
        rng = generator("barcodes", name)
        codes = ["".join(BASES[i] for i in rng.integers(4, size=14)) for _ in cells.obs_names]
        codes[0] = "A" * 14
        suffix = {"a": "-1", "b": ".1"}[name]
        cells.obs_names = [f"{name}:{code}{suffix}" for code in codes]
    study.split = split_of(study.a)
    if counts_equal:
        counts = study.a.X.toarray()
        counts[0, :30] = 0
        counts[0, 3] = 2  # too few counts for the check of equal counts alone
        study.a.X = type(study.a.X)(counts)
        study.copy_cell(study.a.obs_names[0], 0)
        with pytest.raises(DataError, match="1 cells with equal barcode and counts"):
            study.audit()
    else:
        row = next(row for row in study.audit() if row["check"] == "barcodes")
        assert (row["n"], row["status"]) == (1, "pass")


def test_a_shared_donor_must_be_declared(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"donor \(t, own_pool\): on both sides: d0, d1, d2"):
        Study(tmp_path, kind="fraction").audit()
    declared = Study(tmp_path, kind="fraction", shared=["donor"]).audit()
    assert status(declared, "donor") == ["declared", "declared"]
    assert status(declared, "condition") == ["shared"]


def test_a_test_cells_donor_in_a_corpus(tmp_path: Path) -> None:
    """Its cells in another condition, which are on neither side of the split."""
    cells = make_cells("a", 200)
    cells.obs["condition"] = ["CTRL" if number // 4 % 2 else "STIM" for number in range(200)]
    test = {"donor": ["d2"], "condition": ["STIM"]}
    sides = {"kind": "where", "train": {"donor": ["d0", "d1"]}, "test": test}
    study = Study(tmp_path, cells, **sides)
    assert status(study.audit(), "donor") == ["pass", "pass"]
    study.corpora = [corpus_of([{"dataset": "a"}])]
    with pytest.raises(DataError, match=r"^donor \(t, c\): on both sides: d2"):
        study.audit()
    study = Study(tmp_path, cells, **sides, shared=["donor"])
    study.corpora = [corpus_of([{"dataset": "a"}])]
    assert status(study.audit(), "donor", "c") == ["declared"]


def test_unknown_donors_never_pass(tmp_path: Path) -> None:
    cells = make_cells("a", 200, donor="unknown")
    assert status(Study(tmp_path, cells, kind="fraction").audit(), "donor") == ["unknown"] * 2
    some = make_cells("a", 200)
    some.obs.loc["a:cell0", "donor"] = "unknown"
    sides = {"kind": "where", "train": {"donor": ["d0", "unknown"]}, "test": {"donor": ["d2"]}}
    assert status(Study(tmp_path, some, **sides).audit(), "donor") == ["unknown"] * 2


def test_a_vocabulary_chosen_on_a_test_cell(tmp_path: Path) -> None:
    study = Study(tmp_path)
    one_more = [*side_ids(study.split, "pool"), study.split["test"][0]]
    study.chosen_on = {"target t": {"cells": cells_hash(one_more)}}
    with pytest.raises(DataError, match="vocabulary .* 1 sources .*: target t"):
        study.audit()


def test_a_vocabulary_chosen_on_something_else_besides(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.chosen_on = {"everything": {"cells": "0"}}
    with pytest.raises(DataError, match="vocabulary .* 1 sources .*: everything"):
        study.audit()


def test_labels_have_no_way_into_a_corpus() -> None:
    source = {"dataset": "a", "where": {"label": ["alpha"]}}
    with pytest.raises(ValueError, match="label"):
        CorpusSpec.model_validate({"name": "c", "sources": [source]})


def test_every_violation_is_named_at_once(tmp_path: Path) -> None:
    study = Study(tmp_path, kind="fraction")
    study.ids = {"c": study.split["test"]}
    with pytest.raises(DataError, match=r"donor .*; cells \(t, c\): \d+ test cells"):
        study.audit()


def test_a_pool_of_another_data_set_is_looked_up_there(tmp_path: Path) -> None:
    """A protein target is learned on a and tested on b: twins and columns go by their own set."""
    study = Study(tmp_path)
    study.b.obs["donor"] = "other"
    split: dict[str, Any] = {
        "task": "protein", "target": "p", "dataset": "b", "pool_dataset": "a", "shared": [],
        "pool": study.a.obs_names.tolist(), "test": study.b.obs_names.tolist()[:30],
        "pool_left_out": [], "test_left_out": [],
    }  # fmt: skip

    def checks() -> list[dict[str, Any]]:
        stores = {name: make_store(tmp_path, own, name) for name, own in study.cells().items()}
        split["hash"] = content_hash(split)
        return audit([], {}, {"p": split}, stores, {})["checks"]

    rows = {row["check"]: row["status"] for row in checks()}
    assert rows["donor"] == rows["cells"] == rows["equal counts"] == rows["vocabulary"] == "pass"
    study.copy_cell(study.rich_test_cell(), row=7)
    with pytest.raises(DataError, match=r"equal counts \(p, own_pool\)"):
        checks()
    study.b = make_cells("b", 60, genes=range(30))
    with pytest.raises(DataError, match=r"donor \(p, own_pool\)"):
        checks()
    split["shared"] = ["donor"]
    assert {row["check"]: row["status"] for row in checks()}["donor"] == "declared"


def test_test_cells_of_a_protein_target_choose_no_genes_and_its_pool_neither(
    tmp_path: Path,
) -> None:
    study = Study(tmp_path)
    obs = {name: own.obs for name, own in study.cells().items()}
    ids = study.b.obs_names.tolist()
    split = {
        "task": "protein", "target": "p", "dataset": "b", "pool": ids[:30], "test": ids[30:],
        "pool_left_out": [], "test_left_out": [],
    }  # fmt: skip
    chosen = training_cells(obs, study.corpora, {"t": study.split, "p": split})
    assert set(chosen) == {f"corpus {study.corpora[0].name}", "target t"}
    assert not {cell for own in chosen.values() for cell in own.ids} & set(ids[30:])
