"""Readouts of frozen embeddings: right answers by hand, ties, invariances, missing classes."""

from __future__ import annotations

import numpy as np
import pytest

from selfcell.errors import DataError
from selfcell.keys import generator
from selfcell.tasks.readouts import READOUTS, Neighbours, Probe, Prototype, usable
from tests.tasks.blobs import cells


@pytest.mark.parametrize("name", READOUTS)
def test_separable_classes_are_found(name: str) -> None:
    train_ND, y_N = cells((12, 12, 12, 12), key="train")
    test_ND, true_N = cells(key="test")
    readout = READOUTS[name]()
    readout.fit(train_ND, y_N, 4)
    predicted_N, proba_NK = readout.predict(test_ND)
    assert (predicted_N == true_N).mean() > 0.97
    assert (proba_NK is not None) == (name == "probe")
    assert predicted_N.dtype.kind == "i"


@pytest.mark.parametrize("name", READOUTS)
def test_rotation_shift_and_scale_change_no_prediction(name: str) -> None:
    train_ND, y_N = cells((12, 12, 12, 12), gap=0.6, key="train")
    test_ND, _ = cells(gap=0.6, key="test")
    basis = np.linalg.qr(generator("basis").standard_normal((8, 8)))[0].astype(np.float32)
    plain, moved = READOUTS[name](), READOUTS[name]()
    plain.fit(train_ND, y_N, 4)
    moved.fit(train_ND @ basis * 30.0 + 2.0, y_N, 4)
    same_N = plain.predict(test_ND)[0] == moved.predict(test_ND @ basis * 30.0 + 2.0)[0]
    assert same_N.mean() > 0.98


@pytest.mark.parametrize("name", READOUTS)
def test_order_of_training_and_of_test_cells_does_not_matter(name: str) -> None:
    train_ND, y_N = cells((5, 5, 5, 5), gap=0.6, key="train")
    test_ND, _ = cells(gap=0.6, key="test")
    plain, shuffled = READOUTS[name](), READOUTS[name]()
    plain.fit(train_ND, y_N, 4)
    order, turn = generator("order").permutation(20), np.arange(len(test_ND))[::-1]
    shuffled.fit(train_ND[order], y_N[order], 4)
    assert np.array_equal(plain.predict(test_ND)[0], shuffled.predict(test_ND[turn])[0][turn])


@pytest.mark.parametrize("name", READOUTS)
def test_a_class_without_labelled_cells_is_never_predicted(name: str) -> None:
    train_ND, y_N = cells((6, 6, 6, 0), key="train")
    readout = READOUTS[name]()
    readout.fit(train_ND, y_N, 4)
    predicted_N, _ = readout.predict(cells(key="test")[0])
    assert set(predicted_N) <= {0, 1, 2}


def test_prototype_by_hand() -> None:
    prototype = Prototype()
    prototype.fit(np.array([[0.0], [2.0], [9.0]]), np.array([0, 0, 2]), 3)
    # Means are 1 and 9: the border is 5, and the tie on it goes to the lower code.
    assert prototype.predict(np.array([[4.9], [5.0], [5.1]]))[0].tolist() == [0, 0, 2]


def test_votes_and_ties_by_hand() -> None:
    train = np.array([[0.0], [1.0], [4.0], [5.0], [6.0], [7.0]])
    y_N = np.array([1, 1, 0, 0, 0, 2])
    query = np.array([[0.4], [6.4], [2.4]])
    five, four, one = Neighbours(5), Neighbours(4), Neighbours(1)
    for readout in (five, four, one):
        readout.fit(train, y_N, 3)
    assert one.predict(query)[0].tolist() == [1, 0, 1]
    assert five.predict(query)[0].tolist() == [0, 0, 0]
    # Four votes at 2.4: two of class 1 (distances 2.4 + 1.4), two of class 0 (1.6 + 2.6).
    assert four.predict(query)[0].tolist() == [1, 0, 1]


def test_all_cells_vote_where_there_are_fewer_than_k() -> None:
    readout = Neighbours(5)
    readout.fit(np.array([[0.0], [1.0], [9.0]]), np.array([1, 1, 0]), 2)
    assert readout.predict(np.array([[8.0]]))[0].tolist() == [1]


def test_the_nearest_cell_votes() -> None:
    """The released code dropped it: here a cell of the training set finds itself."""
    train_ND, y_N = cells((20, 20), gap=0.0)
    readout = Neighbours(1)
    readout.fit(train_ND, y_N, 2)
    assert np.array_equal(readout.predict(train_ND)[0], y_N)


def test_the_released_code_asks_neighbours_two_to_six() -> None:
    train = np.arange(7.0)[:, None]
    y_N = np.array([0, 1, 1, 0, 0, 1, 1])
    kept, dropped = READOUTS["knn5"](), READOUTS["knn5_drop"]()
    for readout in (kept, dropped):
        readout.fit(train, y_N, 2)
    query = np.array([[-0.5]])
    assert kept.predict(query)[0].tolist() == [0]  # cells 0 to 4 vote 0 1 1 0 0
    assert dropped.predict(query)[0].tolist() == [1]  # cells 1 to 5 vote 1 1 0 0 1
    dropped.fit(train[:1], y_N[:1], 2)
    assert dropped.predict(query)[0].tolist() == [0]  # a lone cell is not dropped


def test_five_neighbours_wait_for_ten_labels() -> None:
    assert usable(["probe", "knn5"], "3") == ["probe"]
    assert usable(["probe", "knn5"], "10") == ["probe", "knn5"]
    assert usable(["knn5"], "all") == ["knn5"]


@pytest.mark.parametrize("name", READOUTS)
@pytest.mark.parametrize(
    ("z", "y", "match"),
    [
        (np.empty((0, 2)), np.empty(0, int), "label"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), np.array([0, 1]), "NaN"),
    ],
)
def test_bad_training_cells_are_refused(
    name: str, z: np.ndarray, y: np.ndarray, match: str
) -> None:
    with pytest.raises(DataError, match=match):
        READOUTS[name]().fit(z, y, 2)


def test_predicting_before_fitting_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="before fit"):
        Probe().predict(np.zeros((1, 2)))
