"""Exact neighbours against a full distance matrix, through every block boundary."""

from __future__ import annotations

import numpy as np
import pytest

from selfcell.keys import generator
from selfcell.tasks import neighbours


def brute(query_MD: np.ndarray, reference_ND: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Full float64 distances, sorted; ties to the lower index."""
    gap = query_MD[:, None, :].astype(np.float64) - reference_ND[None, :, :]
    square_MN = (gap**2).sum(2)
    index_MJ = np.argsort(square_MN, axis=1, kind="stable")[:, :k]
    return index_MJ, np.take_along_axis(square_MN, index_MJ, 1)


@pytest.mark.parametrize("k", [1, 2, 5, 33])
@pytest.mark.parametrize("blocks", [(512, 1024, 4096), (7, 10, 3), (50, 1, 1), (3, 5, 90)])
def test_exact(k: int, blocks: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in zip(("QUERIES", "FIRST", "REFERENCES"), blocks, strict=True):
        monkeypatch.setattr(neighbours, name, size)
    rng = generator("neighbours")
    query, reference = rng.standard_normal((50, 6)), rng.standard_normal((33, 6))
    index_MJ, square_MJ = neighbours.nearest(query, reference, k)
    expected, distance = brute(query, reference, k)
    assert np.array_equal(index_MJ, expected)
    assert square_MJ == pytest.approx(distance, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("references", [4096, 4, 1])
def test_equal_distances_go_to_the_lower_index(
    references: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "FIRST", references)
    monkeypatch.setattr(neighbours, "REFERENCES", references)
    reference = np.array([[2.0], [1.0], [1.0], [0.0], [1.0], [1.0], [-1.0]])
    index_MJ, _ = neighbours.nearest(np.array([[1.0]]), reference, 3)
    assert index_MJ.tolist() == [[1, 2, 4]]
    assert neighbours.nearest(np.array([[1.0]]), reference, 1)[0].tolist() == [[1]]


def test_far_from_the_origin_distances_stay_exact() -> None:
    rng = generator("far")
    reference = rng.standard_normal((200, 4)) + 1000.0
    index_MJ, _ = neighbours.nearest(reference, reference, 1)
    assert index_MJ[:, 0].tolist() == list(range(200))


def test_wrong_k_and_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="k = 4"):
        neighbours.nearest(np.zeros((1, 2)), np.zeros((3, 2)), 4)
    with pytest.raises(ValueError, match="dimensions"):
        neighbours.nearest(np.zeros((1, 2)), np.zeros((3, 3)), 1)
