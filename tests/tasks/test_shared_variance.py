"""The label-free index against numbers worked out by hand, and against what it must not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from selfcell.errors import DataError
from selfcell.keys import generator
from selfcell.stats.shared import SHARED
from selfcell.tasks import shared_variance
from selfcell.tasks.shared_variance import explained, rows, shared
from tests.data import factory

# Four cells about their mean (4, 5, 7): variances 4, 1, 0 along the first, second, third gene.
CELLS = sparse.csr_matrix(np.array([[6, 6, 7], [2, 6, 7], [6, 4, 7], [2, 4, 7]], np.float32))
FIRST, SECOND = np.eye(3, dtype=np.float32)[:, :1], np.eye(3, dtype=np.float32)[:, 1:2]


def test_share_along_an_axis_by_hand() -> None:
    assert explained(CELLS, FIRST) == pytest.approx(4 / 5)
    assert explained(CELLS, SECOND) == pytest.approx(1 / 5)
    between = (FIRST + SECOND) / np.sqrt(2, dtype=np.float32)  # half of 4 and half of 1
    assert explained(CELLS, between) == pytest.approx(2.5 / 5)
    assert explained(CELLS, np.hstack([FIRST, SECOND])) == pytest.approx(1)


def test_a_shift_between_data_sets_costs_nothing() -> None:
    moved = sparse.csr_matrix(CELLS.toarray() + np.array([0, 100, 3], np.float32))
    assert explained(moved, FIRST) == pytest.approx(4 / 5)


def test_the_quotient_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    # The corpus varies along the second gene, the target's own cells along the first.
    corpus = sparse.csr_matrix(np.array([[1, 0, 2], [1, 4, 2], [1, 8, 2]], np.float32))
    own = sparse.csr_matrix(np.array([[0, 1, 2], [4, 1, 2], [8, 1, 2]], np.float32))
    real = shared_variance.pca.fit
    monkeypatch.setattr(shared_variance.pca, "fit", lambda x, width: real(x, 1))
    monkeypatch.setattr(shared_variance, "AXES", 1)
    found = shared(corpus, own, CELLS)
    assert (found.by_corpus, found.by_own) == pytest.approx((1 / 5, 4 / 5))
    assert found.quotient == pytest.approx(1 / 4) and found.axes == 1
    assert shared(own, own, CELLS).quotient == pytest.approx(1)
    assert shared(own, corpus, CELLS).quotient == pytest.approx(4)  # there is no upper bound


def test_both_sides_get_as_many_axes() -> None:
    x = sparse.csr_matrix(generator("axes").poisson(2.0, (90, 70)).astype(np.float32))
    assert shared(x, x[:9], x).axes == 8
    assert shared(x, x[:60], x).axes == shared_variance.AXES == 50


def test_cells_that_are_all_alike_are_refused() -> None:
    with pytest.raises(DataError, match="all alike"):
        explained(CELLS[[0, 0]], FIRST)


def study(folder: Path, split: dict[str, Any] | None = None, **columns: Any) -> pd.DataFrame:
    """The table of target t with its own pool and with another data set as corpora."""
    own, other = factory.make_cells("a", **columns), factory.make_cells("b", genes=range(20, 60))
    stores = {
        name: factory.make_store(folder, cells, name, range(60))
        for name, cells in (("a", own), ("b", other))
    }
    corpora = [
        factory.corpus_of([{"dataset": "a", "pool_of": "t"}], name="own"),
        factory.corpus_of([{"dataset": "b"}], name="other", targets=[]),
        factory.corpus_of([{"dataset": "b"}], name="unasked", targets=[]),
    ]
    splits = {"t": split or factory.split_of(own)}
    return pd.DataFrame(rows({"t": ["own", "other"]}, corpora, stores, splits))


def test_rows_of_a_study(tmp_path: Path) -> None:
    frame = study(tmp_path).set_index("corpus")
    SHARED.check(frame.reset_index()[SHARED.names])
    assert list(frame.index) == ["own", "other"]
    assert frame.shared_variance["own"] == pytest.approx(1, abs=0.1)
    assert frame.shared_variance["other"] < 0.7  # half of the target's genes were not measured
    assert (frame.n_own == 60).all() and (frame.n_test == 60).all()


def test_no_label_is_read(tmp_path: Path) -> None:
    """Other labels, other types left out: the same sides give the same numbers."""
    before = study(tmp_path / "plain")
    rare = np.array(["rare"] * 8 + ["b", "c"] * 56)
    split = factory.split_of(factory.make_cells("a", label=rare))
    assert split["pool_left_out"] and split["test_left_out"]
    after = study(tmp_path / "renamed", split=split, label=rare)
    pd.testing.assert_frame_equal(before, after, rtol=1e-6)
