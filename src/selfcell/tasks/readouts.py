"""Classifiers on frozen embeddings, from the study's primary one to the simplest.

Each is fitted on a few labelled cells and predicts class codes of test cells. None of them
depends on rotating, shifting or scaling the embedding, so arms are compared for what their
geometry holds. Ties are broken the same way every time. A class without a labelled cell is never
predicted, and so scores 0.

Shape suffixes: N cells, M test cells, D dimensions, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np

from selfcell.errors import DataError
from selfcell.tasks import logistic
from selfcell.tasks.neighbours import Found, nearest

Predicted = tuple[np.ndarray, np.ndarray | None]
T = TypeVar("T")


class Readout(Protocol):
    """A classifier of embedded cells."""

    def fit(self, z_ND: np.ndarray, y_N: np.ndarray, classes: int) -> None:
        """Learn from labelled cells; `y_N` holds codes in [0, classes)."""

    def predict(self, z_MD: np.ndarray) -> Predicted:
        """(M,) int64 class codes, and (M, K) probabilities where the readout has them."""


class Probe:
    """Ridge-logistic regression with balanced class weights; the study's primary readout.

    Source: Alain & Bengio 2016 (linear probe), as `selfcell.tasks.logistic.fit`.
    Differs from the paper: ridge penalty, chosen by inner cross-validation from 10 labels a type.
    """

    def __init__(self, c: float | None = None) -> None:
        self._c = c
        self._model: logistic.Logistic | None = None

    def fit(self, z_ND: np.ndarray, y_N: np.ndarray, classes: int) -> None:
        """Fit on labelled cells. Raises DataError without one, or with NaN in `z_ND`."""
        self._model = logistic.fit(np.asarray(z_ND, np.float64), y_N, classes, self._c)

    def predict(self, z_MD: np.ndarray) -> Predicted:
        """Codes of the largest probability, and the probabilities."""
        proba_MK = _fitted(self._model).proba(np.asarray(z_MD, np.float64))
        return proba_MK.argmax(1), proba_MK


class Prototype:
    """Nearest class mean by squared Euclidean distance.

    Source: Snell, Swersky & Zemel 2017, eq. 1-2 (prototypes of a few-shot episode).
    Differs from the paper: the embedding is not trained for it; distances are not scaled, so
    there are no probabilities.
    """

    def __init__(self) -> None:
        self._mean_KD: np.ndarray | None = None
        self._present_K: np.ndarray | None = None

    def fit(self, z_ND: np.ndarray, y_N: np.ndarray, classes: int) -> None:
        """Means of the classes that have a labelled cell. Raises DataError without one."""
        _check(z_ND, y_N, classes)
        self._present_K, index_N = np.unique(y_N, return_inverse=True)
        member_KN = np.arange(len(self._present_K))[:, None] == index_N
        self._mean_KD = (member_KN / member_KN.sum(1, keepdims=True)) @ z_ND.astype(np.float64)

    def predict(self, z_MD: np.ndarray) -> Predicted:
        """Class of the nearest mean; the lower code on a tie."""
        index_M1, _ = nearest(z_MD, _fitted(self._mean_KD), 1)
        return _fitted(self._present_K)[index_M1[:, 0]], None


class Neighbours:
    """Majority class of the k nearest labelled cells by Euclidean distance.

    Equal votes go to the class with the smaller sum of distances, then to the lower code. With
    fewer than k labelled cells all of them vote.

    Source: Richter et al. 2024, evaluation (k = 5). Differs from the paper: its released code
    dropped the nearest neighbour (`skip` 1), as if a query were among the cells it is compared
    with; here it votes.

    Args:
        k: cells that vote. skip: nearest cells left out before them, if others remain.
    """

    def __init__(self, k: int, skip: int = 0) -> None:
        self.k, self.skip = k, skip
        self._z_ND: np.ndarray | None = None
        self._y_N: np.ndarray | None = None
        self._classes = 0

    def fit(self, z_ND: np.ndarray, y_N: np.ndarray, classes: int) -> None:
        """Keep the labelled cells. Raises DataError without one, or with NaN in `z_ND`."""
        _check(z_ND, y_N, classes)
        self._z_ND, self._y_N, self._classes = z_ND, y_N, classes

    def predict(self, z_MD: np.ndarray) -> Predicted:
        """Codes by vote; no probabilities (a share of five votes is not one)."""
        z_ND = _fitted(self._z_ND)
        return self.vote(nearest(z_MD, z_ND, min(self.reach, len(z_ND))))

    @property
    def reach(self) -> int:
        """Nearest cells to look at."""
        return self.k + self.skip

    def vote(self, found: Found) -> Predicted:
        """`predict` from the nearest cells, `reach` of them or more, where they are known."""
        y_N = _fitted(self._y_N)
        skip = min(self.skip, len(y_N) - 1)
        index_MJ, square_MJ = (part[:, skip : self.reach] for part in found)
        code_MJ = y_N[index_MJ]
        if code_MJ.shape[1] == 1:
            return code_MJ[:, 0], None
        row_M1 = np.arange(len(code_MJ))[:, None]
        vote_MK = np.zeros((len(code_MJ), self._classes))
        far_MK = np.zeros_like(vote_MK)
        np.add.at(vote_MK, (row_M1, code_MJ), 1.0)
        np.add.at(far_MK, (row_M1, code_MJ), np.sqrt(square_MJ))
        far_MK[vote_MK < vote_MK.max(1, keepdims=True)] = np.inf
        return far_MK.argmin(1), None


def knn1() -> Neighbours:
    """The single nearest labelled cell."""
    return Neighbours(1)


def knn5() -> Neighbours:
    """Five nearest labelled cells."""
    return Neighbours(5)


def knn5_drop() -> Neighbours:
    """Neighbours two to six, as the code released with Richter et al. 2024 has it."""
    return Neighbours(5, skip=1)


def predict_all(
    names: Sequence[str],
    z_ND: np.ndarray,
    y_N: np.ndarray,
    classes: int,
    z_MD: np.ndarray,
) -> Iterator[tuple[str, Predicted]]:
    """Each named readout, fitted on labelled cells, and its predictions of test cells.

    Those that vote by neighbours share one search, which is what they cost.
    """
    fitted = {name: READOUTS[name]() for name in names}
    for readout in fitted.values():
        readout.fit(z_ND, y_N, classes)
    reach = max((r.reach for r in fitted.values() if isinstance(r, Neighbours)), default=0)
    found = nearest(z_MD, z_ND, min(reach, len(z_ND))) if reach else None
    for name, readout in fitted.items():
        if found is not None and isinstance(readout, Neighbours):
            yield name, readout.vote(found)
        else:
            yield name, readout.predict(z_MD)


READOUTS: Mapping[str, Callable[[], Readout]] = {
    "probe": Probe,
    "prototype": Prototype,
    "knn1": knn1,
    "knn5": knn5,
    "knn5_drop": knn5_drop,
}

RE_SCORES = ("knn5_drop",)
"""Readouts of the released code: always run, scored under protocol "published", and so in no
contrast of the study."""

FEWEST = {"knn5": 10, "knn5_drop": 10}
"""Labels per type from which a readout is used: five neighbours among three are other types."""


def usable(readouts: Sequence[str], regime: str) -> list[str]:
    """Readouts that a label regime ("3", "10", "all" ...) has enough labels for."""
    labels = np.inf if regime == "all" else int(regime)
    return [name for name in readouts if labels >= FEWEST.get(name, 0)]


def _check(z_ND: np.ndarray, y_N: np.ndarray, classes: int) -> None:
    if len(y_N) == 0 or len(y_N) != len(z_ND):
        raise DataError(
            f"{len(y_N)} labels for {len(z_ND)} cells", "one label a cell, one at least"
        )
    if y_N.min() < 0 or y_N.max() >= classes:
        raise DataError(f"class codes up to {y_N.max()}", f"codes in [0, {classes})")
    if not np.isfinite(z_ND).all():
        raise DataError("the embedding holds NaN or infinite values", "finite values")


def _fitted(value: T | None) -> T:
    if value is None:
        raise RuntimeError("predict before fit")
    return value
