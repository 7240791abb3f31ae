"""What a target's baselines are given: whose labels, above all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfcell.specs import BaselineSpec, Network, Training
from selfcell.tasks import rivals
from tests.baselines.made import equal, seen_by
from tests.data import factory


def test_genes_of_its_own_are_the_pools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = factory.make_cells("a")
    store = factory.make_store(tmp_path, own, "a")
    spec = BaselineSpec(
        study="t", protocol="intended", target="a", corpora=[], baselines=["logreg"],
        readouts=["probe"], network=Network(hidden=[8]), training=Training(), seeds=[0],
    )  # fmt: skip
    chosen = seen_by(monkeypatch, rivals, "most_variable")
    made = rivals.inputs(spec, {"a": store}, {"a": factory.split_of(own, target="a")}, "h")
    assert [equal(x_PG, made.pool_PG) for x_PG in chosen] == [True]


def test_labels_come_from_other_data_sets_alone(tmp_path: Path) -> None:
    own, other = factory.make_cells("a"), factory.make_cells("b")
    bare = factory.make_cells("c", label="unknown")
    stores = {
        name: factory.make_store(tmp_path, cells, name)
        for name, cells in (("a", own), ("b", other), ("c", bare))
    }
    split = factory.split_of(own, target="a")
    both = ({"dataset": "a"}, {"dataset": "b"})
    corpora = [
        factory.corpus_of(name="own", targets=["a"]),
        factory.corpus_of(name="both", targets=["a"], sources=both),
        factory.corpus_of(name="other", targets=["a"], sources=({"dataset": "b"},)),
        factory.corpus_of(name="bare", targets=["a"], sources=({"dataset": "c"},)),
        factory.corpus_of(
            name="mixed", targets=["a"], sources=({"dataset": "b"},), shuffle_genes=True
        ),
    ]
    spec = BaselineSpec(
        study="t", protocol="intended", target="a", corpora=corpora, baselines=["supervised"],
        readouts=["probe"], network=Network(hidden=[8]), training=Training(), seeds=[0],
    )  # fmt: skip
    made = rivals.inputs(spec, stores, {"a": split}, "h")
    assert set(made.corpora) == {"own", "both", "other", "bare", "mixed"}
    assert set(made.supervision) == {"other"}
    given = made.supervision["other"]
    ids = np.array(given.cells.ids)[given.rows]
    assert (given.label_N == other.obs.label[ids].to_numpy()).all()
    assert len(set(given.label_N)) == len(factory.TYPES)
