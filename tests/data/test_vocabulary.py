from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from selfcell.data.corpus import cells_hash
from selfcell.data.specs import VocabularySpec
from selfcell.data.splits import side_ids
from selfcell.data.vocabulary import (
    alignment,
    choose,
    factors_with_targets,
    read_vocabulary,
    training_cells,
    write_vocabulary,
)
from selfcell.errors import DataError, StoreError
from selfcell.keys import generator
from tests.data.factory import corpus_of, gene_ids, make_cells, split_of

GENES = range(200)


def study() -> tuple[dict[str, AnnData], dict[str, Any]]:
    cells = {"a": make_cells("a", 200, GENES), "b": make_cells("b", 80, range(150, 260))}
    return cells, {"t": split_of(cells["a"])}


def pick(
    cells: dict[str, AnnData], splits: dict[str, Any], k: int = 0, m: int = 0, **more: Any
) -> tuple[pd.DataFrame, dict[str, Any]]:
    spec = VocabularySpec(corpus_genes=k, target_genes=m)
    return choose(cells, more.pop("corpora", [corpus_of()]), splits, spec, **more)


def test_the_vocabulary_is_a_sorted_union_with_flags() -> None:
    cells, splits = study()
    genes, _ = pick(cells, splits, 20, 15, extra_symbols=["S3", "S255", "NOBODY"])
    assert genes["gene_id"].is_monotonic_increasing
    assert genes["from_corpus"].sum() == 20
    assert genes["from_target"].sum() == 15
    assert genes.loc[genes["from_tf"], "symbol"].tolist() == ["S3", "S255"]
    assert (genes[["from_corpus", "from_target", "from_tf"]].any(axis=1)).all()
    late = genes.set_index("symbol").loc["S255"]
    assert not late["measured_a"]
    assert late["measured_b"]


def test_test_cells_do_not_choose_genes() -> None:
    cells, splits = study()
    before = pick(cells, splits, 20, 20)
    rows = cells["a"].obs_names.get_indexer(side_ids(splits["t"], "test"))
    counts = cells["a"].X.toarray()
    counts[rows] = generator("other").permutation(counts[rows].ravel()).reshape(-1, len(GENES))
    cells["a"].X = sparse.csr_matrix(counts)
    after = pick(cells, splits, 20, 20)
    assert before[0].equals(after[0])
    assert before[1] == after[1]
    train = cells["a"].obs_names.get_indexer(side_ids(splits["t"], "pool"))
    counts[train[:50]] = counts[train[:50]][:, ::-1]
    cells["a"].X = sparse.csr_matrix(counts)
    assert not pick(cells, splits, 20, 20)[0].equals(before[0])


def test_test_cells_of_every_target_are_out_whichever_corpus_holds_them() -> None:
    cells, splits = study()
    other = corpus_of(targets=[])
    chosen = training_cells({name: data.obs for name, data in cells.items()}, [other], splits)
    assert not set(chosen["corpus c"].ids) & set(side_ids(splits["t"], "test"))


def test_a_target_chooses_on_its_pool_not_on_cells_of_no_side() -> None:
    cells, _ = study()
    split = split_of(cells["a"], train=["d0"])
    chosen = training_cells({"a": cells["a"].obs}, [], {"t": split})
    assert chosen["target t"].ids == tuple(side_ids(split, "pool"))


def test_labels_do_not_choose_genes() -> None:
    cells, splits = study()
    before = pick(cells, splits, 20, 20)[0]
    for data in cells.values():
        data.obs["label"] = "nothing"
    assert pick(cells, splits, 20, 20)[0].equals(before)


def test_the_cells_that_chose_are_recorded() -> None:
    cells, splits = study()
    _, chosen_on = pick(cells, splits, 20, 10)
    pool = side_ids(splits["t"], "pool")
    assert chosen_on == {
        "corpus c": {"n": 100, "cells": cells_hash(pool), "asked": 20, "found": 20},
        "target t": {"n": 100, "cells": cells_hash(pool), "asked": 10, "found": 10},
    }


def test_a_corpus_may_stay_out() -> None:
    cells, splits = study()
    genes, chosen_on = pick(cells, splits, 20, 10, corpora=[corpus_of(vocabulary=False)])
    assert not genes["from_corpus"].any()
    assert list(chosen_on) == ["target t"]


def test_a_corpus_over_two_data_sets_ranks_what_both_measured() -> None:
    cells, splits = study()
    both = corpus_of([{"dataset": "a", "pool_of": "t"}, {"dataset": "b"}])
    genes, _ = pick(cells, splits, 500, 0, corpora=[both])
    found = set(genes.loc[genes["from_corpus"], "gene_id"])
    assert found <= set(gene_ids(range(150, 200)))
    assert len(found) > 40


def test_fewer_genes_than_asked_is_fine_and_said() -> None:
    cells, splits = study()
    _, chosen_on = pick(cells, splits, 10_000, 0)
    assert 100 < chosen_on["corpus c"]["found"] <= 200


def test_no_gene_at_all_is_an_error() -> None:
    cells, splits = study()
    with pytest.raises(DataError, match="vocabulary is empty"):
        pick(cells, splits)


def test_data_sets_of_a_corpus_without_a_common_gene_are_named() -> None:
    cells = {"a": make_cells("a", 60, range(50)), "b": make_cells("b", 60, range(50, 90))}
    both = corpus_of([{"dataset": "a"}, {"dataset": "b"}])
    with pytest.raises(DataError, match="no gene was measured in all of a, b; needed: .*share"):
        pick(cells, {"t": split_of(cells["a"])}, 20, corpora=[both])


def test_factors_need_a_measured_target() -> None:
    cells, _ = study()
    targets = {"S1": ["S2", "X"], "S9": ["X"], "S4": ["S255"]}
    assert factors_with_targets(targets, cells) == ["S1", "S4"]


def test_alignment_counts_what_is_missing_and_kept() -> None:
    cells, splits = study()
    genes, _ = pick(cells, splits, 20, 20, extra_symbols=["S240", "S250"])
    table = alignment(cells, genes).set_index("dataset")
    a, b = table.loc["a"], table.loc["b"]
    assert (a["n_cells"], a["n_genes"], a["missing_from_tf"]) == (200, 200, 2)
    assert a["measured"] + a["missing"] == b["vocabulary"] == len(genes)
    data = cells["b"]
    inside = data.var_names.isin(genes["gene_id"])
    counts = data.X.toarray()
    assert b["share_of_counts"] == pytest.approx(counts[:, inside].sum() / counts.sum())
    total = data.obs["total_counts"].sum()
    assert b["share_of_total"] == pytest.approx(counts[:, inside].sum() / total)


def test_the_file_keeps_genes_and_cells_and_its_bytes(tmp_path: Path) -> None:
    genes, chosen_on = pick(*study(), 20, 10)
    for name in ("one", "two"):
        write_vocabulary(genes, chosen_on, tmp_path / name)
    back, noted = read_vocabulary(tmp_path / "one")
    pd.testing.assert_frame_equal(back, genes)
    assert noted == chosen_on
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    genes.to_parquet(tmp_path / "bare")
    with pytest.raises(StoreError, match="does not say on which cells"):
        read_vocabulary(tmp_path / "bare")
