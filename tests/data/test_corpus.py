from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfcell.data.corpus import Corpus, cells_hash, select
from selfcell.data.splits import side_ids
from selfcell.errors import DataError
from tests.data.factory import corpus_of, make_cells, make_store, split_of


def build(tmp_path: Path, cells: Any = None, **spec: Any) -> Corpus:
    cells = make_cells(n=200) if cells is None else cells
    store = make_store(tmp_path, cells)
    return Corpus.build(corpus_of(**spec), {"a": store}, {"t": split_of(cells)})


def test_test_cells_are_dropped_and_counted() -> None:
    cells = make_cells(n=200)
    split = split_of(cells)
    chosen = select(corpus_of(), {"a": cells.obs}, {"t": split})
    assert chosen.excluded == 100
    assert set(chosen.ids) == set(side_ids(split, "pool"))


def test_test_cells_of_types_left_out_are_dropped_too() -> None:
    labels = make_cells(n=200).obs["label"].to_numpy().copy()
    labels[2] = labels[3] = "rare"  # donors d2 and d3
    cells = make_cells(n=200, label=labels)
    split = split_of(cells)
    assert split["test_left_out"] == ["a:cell2", "a:cell3"]
    chosen = select(corpus_of(), {"a": cells.obs}, {"t": split})
    assert not {"a:cell2", "a:cell3"} & set(chosen.ids)


def test_naming_test_cells_is_an_error_where_exclusion_is_off() -> None:
    cells = make_cells(n=200)
    with pytest.raises(DataError, match="holds 100 test cells"):
        select(corpus_of(exclude=False), {"a": cells.obs}, {"t": split_of(cells)})
    train = corpus_of([{"dataset": "a", "where": {"donor": ["d0", "d1"]}}], exclude=False)
    assert len(select(train, {"a": cells.obs}, {"t": split_of(cells)}).ids) == 100


def test_only_the_targets_named_are_excluded() -> None:
    cells = make_cells(n=200)
    assert select(corpus_of(targets=[]), {"a": cells.obs}, {"t": split_of(cells)}).excluded == 0


def test_cells_by_condition_and_by_pool() -> None:
    cells = make_cells(n=200)
    split = split_of(cells)
    both = {"donor": ["d0", "d1"], "condition": ["STIM"]}
    chosen = select(corpus_of([{"dataset": "a", "where": both}]), {"a": cells.obs}, {"t": split})
    assert set(cells.obs.loc[list(chosen.ids), "donor"]) == {"d0"}
    pool = select(corpus_of([{"dataset": "a", "pool_of": "t"}]), {"a": cells.obs}, {"t": split})
    assert set(pool.ids) == set(side_ids(split, "pool"))


def test_labels_make_no_difference(tmp_path: Path) -> None:
    cells = make_cells(n=200)
    split = split_of(cells)
    other = make_cells(n=200, label="nothing")
    results = []
    for name, data in (("x", cells), ("y", other)):
        store = make_store(tmp_path, data, name)
        corpus = Corpus.build(corpus_of(), {"a": store}, {"t": split})
        results.append((corpus.report, corpus.statistics()[0].tolist()))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([{"dataset": "b"}], "unknown data set 'b'"),
        ([{"dataset": "a", "pool_of": "u"}], "unknown target 'u'"),
        ([{"dataset": "a", "where": {"condition": ["MOCK"]}}], "CTRL, STIM"),
        ([{"dataset": "a", "where": {"donor": ["d2"]}}], "is empty"),
        ([{"dataset": "a"}, {"dataset": "a", "pool_of": "t"}], "a cell twice"),
    ],
)
def test_selections_that_cannot_be(sources: list[dict[str, Any]], message: str) -> None:
    cells = make_cells(n=200)
    with pytest.raises(DataError, match=message):
        select(corpus_of(sources), {"a": cells.obs}, {"t": split_of(cells)})


def test_a_pool_of_another_data_set_is_refused() -> None:
    cells, other = make_cells(n=200), make_cells("b")
    with pytest.raises(DataError, match="is not of 'b'"):
        select(
            corpus_of([{"dataset": "b", "pool_of": "t"}]),
            {"a": cells.obs, "b": other.obs},
            {"t": split_of(cells)},
        )


def test_max_cells_is_exact_nested_and_independent_of_order() -> None:
    cells = make_cells(n=200)
    split = {"t": split_of(cells)}
    some, more = (
        set(select(corpus_of(max_cells=n), {"a": cells.obs}, split).ids) for n in (30, 60)
    )
    assert (len(some), len(more)) == (30, 60)
    assert some < more
    turned = cells.obs.iloc[::-1]
    assert set(select(corpus_of(max_cells=30), {"a": turned}, split).ids) == some


def test_another_draw_chooses_other_cells() -> None:
    cells = make_cells(n=200)
    split = {"t": split_of(cells)}
    first, second = (
        set(select(corpus_of(max_cells=30, draw=draw), {"a": cells.obs}, split).ids)
        for draw in (0, 1)
    )
    assert len(second) == 30 and first != second


def test_donors_are_drawn_whole_and_nested() -> None:
    cells = make_cells(n=200)

    def donors(n: int, draw: int = 0) -> set[str]:
        spec = corpus_of(max_donors=n, draw=draw, targets=[])
        ids = list(select(spec, {"a": cells.obs}, {}).ids)
        found = set(cells.obs.loc[ids, "donor"])
        assert len(ids) == int(cells.obs["donor"].isin(found).sum())
        return found

    sizes = [donors(n) for n in (1, 2, 3, 9)]
    assert [len(found) for found in sizes] == [1, 2, 3, 4]
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]
    assert len({frozenset(donors(1, draw)) for draw in range(9)}) > 1


def test_donors_of_two_data_sets_are_two_whatever_their_names() -> None:
    obs = {name: make_cells(name, n=200).obs for name in ("a", "b")}
    sources = [{"dataset": name} for name in obs]
    ids = list(select(corpus_of(sources, max_donors=3, targets=[]), obs, {}).ids)
    drawn = {(cell.split(":")[0], obs[cell.split(":")[0]].loc[cell, "donor"]) for cell in ids}
    assert len(drawn) == 3


def test_unknown_donors_cannot_be_drawn() -> None:
    cells = make_cells(n=200)
    obs = cells.obs.assign(donor="unknown")
    with pytest.raises(DataError, match="unknown donors"):
        select(corpus_of(max_donors=1), {"a": obs}, {"t": split_of(cells)})


def test_validation_cells_are_held_back(tmp_path: Path) -> None:
    corpus = build(tmp_path)
    assert len(corpus.validation_N) == 5
    together = np.sort(np.concatenate([corpus.train_N, corpus.validation_N]))
    assert np.array_equal(together, np.arange(100))
    assert corpus.report["n_train"] == 95
    assert corpus.report["excluded"] == 100
    assert corpus.report["cells"] == cells_hash(reversed(corpus.cells.ids))


def test_statistics_are_of_training_cells_only(tmp_path: Path) -> None:
    cells = make_cells(n=200)
    corpus = build(tmp_path, cells)
    ids = [corpus.cells.ids[i] for i in corpus.train_N]
    counts = cells[ids].X.toarray()
    x = np.log1p(counts / cells[ids].obs["total_counts"].to_numpy()[:, None] * 1e4)
    mean_G, detection_G = corpus.statistics()
    assert np.allclose(mean_G, x.mean(axis=0), rtol=1e-5)
    assert np.allclose(detection_G, (counts > 0).mean(axis=0))


def test_shuffled_genes_keep_each_gene_and_lose_the_cells(tmp_path: Path) -> None:
    plain = build(tmp_path, make_cells(n=2000))
    shuffled = build(tmp_path, make_cells(n=2000), shuffle_genes=True)
    everything = np.arange(1000)
    before, after = (c.cells.rows(everything).toarray() for c in (plain, shuffled))
    assert np.array_equal(np.sort(before, axis=0), np.sort(after, axis=0))
    rest = plain.cells.total_N - before.sum(axis=1)
    assert (rest == 7).all()
    assert np.array_equal(shuffled.cells.total_N, after.sum(axis=1) + 7)
    off = ~np.eye(40, dtype=bool)
    one, two = (np.corrcoef(np.log1p(m), rowvar=False)[off] for m in (before, after))
    assert np.abs(one).max() > 0.3
    assert np.abs(two).max() < 0.15
    assert np.array_equal(plain.cells.key_N, shuffled.cells.key_N)
    again = build(tmp_path, make_cells(n=2000), shuffle_genes=True)
    assert np.array_equal(again.cells.rows(everything).toarray(), after)


def test_a_corpus_over_two_data_sets_measures_what_both_do(tmp_path: Path) -> None:
    a, b = make_cells("a", 200), make_cells("b", 50, genes=range(30))
    stores = {"a": make_store(tmp_path, a, "a"), "b": make_store(tmp_path, b, "b")}
    spec = corpus_of([{"dataset": "a", "pool_of": "t"}, {"dataset": "b"}])
    corpus = Corpus.build(spec, stores, {"t": split_of(a)})
    assert corpus.report["n_cells"] == 150
    assert corpus.measured_G.sum() == 30


def test_a_corpus_of_one_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 cell"):
        build(tmp_path, max_cells=1)


def test_statistics_of_many_cells_have_the_bits_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = build(tmp_path)
    by_numpy = corpus.statistics()
    monkeypatch.setattr("selfcell.data.corpus.FUSED", 1)
    for one, two in zip(corpus.statistics(), by_numpy, strict=True):
        assert np.array_equal(one, two)
