"""Permuted programmes keep every degree and nothing else."""

import numpy as np

from selfcell.keys import generator
from selfcell.masks.permute import permute_programmes

RNG = generator("test permute")
MEMBER = RNG.random((60, 200)) < RNG.uniform(0.02, 0.3, (60, 1)) * RNG.uniform(0, 1, 200)


def overlaps(member: np.ndarray) -> np.ndarray:
    """Genes that two programmes share, for each pair."""
    return (member.astype(int) @ member.T)[np.triu_indices(len(member), 1)]


def test_sizes_and_memberships_are_kept() -> None:
    permuted = permute_programmes(MEMBER, generator("a"))
    assert permuted.dtype == bool
    np.testing.assert_array_equal(permuted.sum(1), MEMBER.sum(1))
    np.testing.assert_array_equal(permuted.sum(0), MEMBER.sum(0))


def test_seed_decides() -> None:
    first, again = (permute_programmes(MEMBER, generator("a")) for _ in range(2))
    other = permute_programmes(MEMBER, generator("b"))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_structure_is_gone() -> None:
    """Two blocks of programmes that share their genes; permuted, they share as by chance."""
    member = np.zeros((40, 400), dtype=bool)
    rng = generator("blocks")
    for p in range(40):
        member[p, rng.permutation(200)[:50] + 200 * (p % 2)] = True
    within = np.equal.outer(np.arange(40) % 2, np.arange(40) % 2)[np.triu_indices(40, 1)]
    permuted = permute_programmes(member, generator("a"))
    assert overlaps(member)[within].mean() > 12
    assert overlaps(member)[~within].mean() == 0
    gap = overlaps(permuted)[within].mean() - overlaps(permuted)[~within].mean()
    assert abs(gap) < 0.5


def test_small_case_is_uniform() -> None:
    """Two programmes of one gene each over three genes: memberships 1, 1, 0 leave two matrices."""
    member = np.array([[True, False, False], [False, True, False]])
    swapped = [permute_programmes(member, generator(i))[0, 1] for i in range(2000)]
    assert abs(np.mean(swapped) - 0.5) < 0.05
