"""Metrics of integration by hand, on cells few enough to see; and what bounds them."""

from __future__ import annotations

import numpy as np
import pytest

from selfcell.errors import DataError
from selfcell.keys import generator
from selfcell.metrics import integrate as metrics
from selfcell.tasks.neighbours import nearest

TYPE = np.repeat(["a", "b"], 60)
BATCH = np.tile(["one", "two"], 60)


def around(label_N: np.ndarray, apart: float = 50.0) -> np.ndarray:
    """(N, 8) unit noise around a point a label."""
    names, code_N = np.unique(label_N, return_inverse=True)
    z_ND = generator("around", *names).standard_normal((len(label_N), 8))
    z_ND[np.arange(len(label_N)), code_N] += apart
    return z_ND.astype(np.float32)


def test_silhouettes_by_hand() -> None:
    """Types at 0, 1 and 10, 12. Cell 0: own 1, other 11, s = 10/11; 1: 1, 10, 9/10; 10: 2, 9.5,
    7.5/9.5; 12: 2, 11.5, 9.5/11.5; on [0, 1]: (1 + mean) / 2."""
    z_ND = np.array([[0.0], [1.0], [10.0], [12.0]], dtype=np.float32)
    types = np.array(["a", "a", "b", "b"])
    each = np.array([10 / 11, 9 / 10, 7.5 / 9.5, 9.5 / 11.5])
    found = metrics.silhouettes(z_ND, types)
    assert found == pytest.approx((1 + each) / 2, rel=1e-5)
    # b alone is isolated where a stands in both batches and b in one
    batch = np.array(["one", "two", "one", "one"])
    assert metrics.isolated(found, types, batch) == [pytest.approx(found[2:].mean())]
    both = metrics.isolated(found, types, np.array(["one", "two"] * 2))
    assert both == [pytest.approx(found[:2].mean()), pytest.approx(found[2:].mean())]


def test_bras_by_hand() -> None:
    """Directions of one type, cosine distances: batch one at 0 and 90 degrees, two at 0 and 90.
    Each cell: own batch's other cell at distance 1; other batch's at 0 and 1, mean .5;
    s = (.5 - 1) / 1, so 1 - |s| = .5."""
    z_ND = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    batch = np.array(["one", "one", "two", "two"])
    assert metrics.bras(z_ND, np.array(["a"] * 4), batch) == pytest.approx(0.5)
    # a type of one batch has no say
    more_ND, types = np.concatenate([z_ND, z_ND]), np.array(["a"] * 4 + ["b"] * 4)
    lone = np.concatenate([batch, np.array(["one"] * 4)])
    assert metrics.bras(more_ND, types, lone) == pytest.approx(0.5)


def test_graph_connectivity_by_hand() -> None:
    """Each cell and its nearest other: type a is one component of two, b two of one cell each."""
    index = np.array([[0, 1], [1, 0], [2, 0], [3, 1]])
    types = np.array(["a", "a", "b", "b"])
    assert metrics.connectivity(index, types) == pytest.approx((1.0 + 0.5) / 2)


def test_lisi_by_hand() -> None:
    """Eight neighbours equally far, so that each weighs the same: of eight cells seven are of one
    batch, an inverse Simpson index of 1.28; the ninth cell's are all of one."""
    others = np.array([[j for j in range(9) if j != i] for i in range(9)])
    share_NK = metrics.shares(others, np.ones(others.shape), 8)
    assert share_NK == pytest.approx(1 / 8)
    batch = np.array(["one"] * 8 + ["two"])
    simpson = (7 / 8) ** 2 + (1 / 8) ** 2
    assert metrics.lisi(others, share_NK, batch) == pytest.approx(1 / simpson)


def test_shares_of_neighbours_by_hand() -> None:
    """Of neighbours at 1 and 2 the shares are 1 / (1 + e^-b) and the rest, 2/3 and 1/3 where
    b = ln 2: the entropy of the perplexity 3 / 2^(2/3). The cell itself weighs nothing."""
    index, distance = np.array([[0, 1, 2]]), np.array([[0.0, 1.0, 2.0]])
    found = metrics.shares(index, distance, 3 / 2 ** (2 / 3))
    assert found[0] == pytest.approx([0.0, 2 / 3, 1 / 3], abs=1e-4)


def test_clusters_by_hand() -> None:
    """Two clusters of three, one cell of each on the wrong side: by the table [[2, 1], [1, 2]],
    pairs together 3 + 3, of them in one type 1 + 1; expected 6 * 6 / 15."""
    z_ND = np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]])
    found = metrics.clusters(z_ND, np.array(["a", "a", "b", "b", "b", "a"]))
    expected = 6 * 6 / 15
    assert found["ari"] == pytest.approx((2 - expected) / (6 - expected))
    # mutual information over the mean entropy, both in nats
    shared = 4 / 6 * np.log((2 / 6) / (1 / 4)) + 2 / 6 * np.log((1 / 6) / (1 / 4))
    assert found["nmi"] == pytest.approx(shared / np.log(2))


def test_explained_variance_and_its_comparison_by_hand() -> None:
    """Batch means -1 and 1 around 0, each cell 1 off its mean: half of the variance is between."""
    z_ND = np.array([[-2.0], [0.0], [0.0], [2.0]])
    batch = np.array(["one", "one", "two", "two"])
    assert metrics.explained(z_ND, batch) == pytest.approx(0.5)
    closer = np.array([[-1.5], [0.5], [-0.5], [1.5]])  # means at half the way
    assert metrics.explained(closer, batch) == pytest.approx(0.25 / 1.25)
    assert metrics.pcr(closer, batch, z_ND) == pytest.approx((0.5 - 0.2) / 0.5)
    assert metrics.pcr(z_ND, batch, closer) == 0.0


def test_kbet_by_hand() -> None:
    """Two batches of 20 side by side: each cell's ten neighbours hold 10 of its own where 5 are
    expected, a statistic of 10 with one degree of freedom: refused. Mixed one by one: accepted."""
    apart = np.concatenate([np.arange(20), np.arange(20) + 1e3]).astype(np.float32)[:, None]
    batch, types = np.repeat(["one", "two"], 20), np.array(["a"] * 40)
    assert metrics.kbet(apart, types, batch) == 0.0
    line = np.arange(40, dtype=np.float32)[:, None]
    mixed = np.tile(["one", "two"], 20)
    assert metrics.kbet(line, types, mixed) == 1.0
    # a type of one batch has no say
    both = np.concatenate([types, np.array(["b"] * 10)])
    lone = np.concatenate([mixed, np.array(["one"] * 10)])
    z_ND = np.concatenate([line, line[:10] + 500])
    assert metrics.kbet(z_ND, both, lone) == 1.0
    with pytest.raises(DataError, match="no type has 10 cells and two batches"):
        metrics.kbet(line, types, np.array(["one"] * 40))


def test_the_total_by_hand() -> None:
    found = dict.fromkeys(metrics.BIO, 0.5) | dict.fromkeys(metrics.BATCH, 1.0)
    whole = metrics.total(found | {"nmi": 1.0})
    assert whole["bio"] == pytest.approx(0.6)
    assert whole["batch"] == 1.0
    assert whole["total"] == pytest.approx(0.6 * 0.6 + 0.4 * 1.0)
    assert tuple(whole) == metrics.METRICS


def test_controls_bound_every_metric() -> None:
    before = around(np.char.add(TYPE, BATCH), 10.0)
    perfect = metrics.values(around(TYPE), TYPE, BATCH, before)
    by_batch = metrics.values(around(BATCH), TYPE, BATCH, before)
    noise = metrics.values(around(np.array(["x"] * 120)), TYPE, BATCH, before)
    for name in metrics.BIO:
        assert perfect[name] > noise[name] + 0.2, name
        assert perfect[name] > by_batch[name] + 0.2, name
    for name in metrics.BATCH:
        assert perfect[name] > by_batch[name] + 0.2, name
    assert perfect["total"] > max(noise["total"], by_batch["total"])
    assert min(perfect.values()) > 0.75
    for found in (perfect, by_batch, noise):
        assert min(found.values()) >= 0.0 and max(found.values()) <= 1.0


def test_values_do_not_depend_on_the_order_of_cells_or_on_the_run() -> None:
    z_ND = around(TYPE, 5.0) + around(BATCH, 1.0)
    order = generator("order").permutation(len(z_ND))
    first, again = (metrics.values(z_ND, TYPE, BATCH, z_ND) for _ in range(2))
    moved = metrics.values(z_ND[order], TYPE[order], BATCH[order], z_ND[order])
    assert first == again
    assert moved == pytest.approx(first, abs=1e-4)


def test_what_cannot_be_scored_is_refused() -> None:
    z_ND = around(TYPE)
    with pytest.raises(DataError, match="one batch among the cells"):
        metrics.values(z_ND, TYPE, np.array(["one"] * 120), z_ND)
    with pytest.raises(DataError, match="NaN"):
        metrics.values(z_ND * np.nan, TYPE, BATCH, z_ND)


def test_values_are_those_of_scib_metrics() -> None:
    """Clusters (of other starts) and kBET (of other neighbours) apart."""
    scib = pytest.importorskip(
        "scib_metrics", reason="pip install -e '.[dev]'", exc_type=ImportError
    )
    from scib_metrics.nearest_neighbors import NeighborsResults

    z_ND = around(TYPE, 3.0) + around(BATCH, 1.0)
    z_ND[100:] += np.float32(0.5)
    types, batch = TYPE.copy(), BATCH.copy()
    types[110:], batch[::7] = "c", "three"
    batch[110:] = "one"
    found = metrics.values(z_ND, types, batch, around(batch, 2.0))
    wide, narrow = (
        NeighborsResults(indices=index, distances=np.sqrt(square))
        for index, square in (nearest(z_ND, z_ND, k) for k in (metrics.WIDE, metrics.NARROW))
    )
    regression = scib.utils.principal_component_regression
    before, after = (regression(z, batch, categorical=True) for z in (around(batch, 2.0), z_ND))
    theirs = {
        "isolated_labels": scib.isolated_labels(z_ND, types, batch),
        "silhouette": scib.silhouette_label(z_ND, types),
        "clisi": scib.clisi_knn(wide, types),
        "bras": scib.bras(z_ND, types, batch),
        "ilisi": scib.ilisi_knn(wide, batch),
        "graph_connectivity": scib.graph_connectivity(narrow, types),
        "pcr": (before - after) / before,
    }
    assert {name: found[name] for name in theirs} == pytest.approx(theirs, abs=1e-4)
