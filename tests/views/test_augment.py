"""Two views: chosen per cell, different from each other, nothing where nothing was measured."""

import torch

from selfcell.rng import Noise
from selfcell.views.augment import Augment, both, second

CELLS = torch.arange(2000)
NOISE = Noise(1, 4, CELLS)
X = torch.rand(2000, 40, generator=torch.Generator().manual_seed(0)) + 0.1
MEASURED = torch.arange(40) >= 4
X[:, ~MEASURED] = 0.0


def changed(view: torch.Tensor) -> torch.Tensor:
    """Which cells differ from the original."""
    return (view != X).any(1)


def test_each_cell_is_augmented_with_probability_p() -> None:
    share = changed(Augment(0.3, 0.2, 0.0, 0.0)(X, NOISE, MEASURED)).float().mean().item()
    assert abs(share - 0.3) < 4 * (0.21 / 2000) ** 0.5


def test_the_steps_are_chosen_independently() -> None:
    noisy = changed(Augment(0.5, 0.2, 0.0, 0.0)(X, NOISE, MEASURED)).float()
    dropped = changed(Augment(0.5, 0.0, 0.0, 0.3)(X, NOISE, MEASURED)).float()
    assert torch.corrcoef(torch.stack([noisy, dropped]))[0, 1].abs() < 0.1


def test_unmeasured_genes_stay_zero() -> None:
    view = Augment(1.0, 0.5, 0.5, 0.1)(X, NOISE, MEASURED)
    assert (view[:, ~MEASURED] == 0).all()
    assert (view[:, MEASURED] != X[:, MEASURED]).float().mean() > 0.95


def test_views_differ_and_are_keyed_by_cell() -> None:
    augment = Augment(1.0, 0.2, 0.0, 0.1)
    first, other = augment(torch.cat([X, X]), both(NOISE), MEASURED).chunk(2)
    assert changed(first).all()
    assert (first != other).any(1).all()
    assert torch.equal(first, augment(X, NOISE, MEASURED))
    assert torch.equal(other, augment(X, second(NOISE), MEASURED))
    rows = torch.tensor([77, 3])
    assert torch.equal(augment(X[rows], NOISE.rows(rows), MEASURED), first[rows])


def test_input_is_left_alone() -> None:
    before = X.clone()
    Augment(1.0, 0.2, 0.1, 0.1)(X, NOISE, MEASURED)
    assert torch.equal(X, before)


def test_per_batch_decides_for_all_cells_at_once() -> None:
    augment = Augment(0.5, 0.2, 0.0, 0.0, per_batch=True)
    outcomes = set()
    for step in range(40):
        noise = Noise(1, step, CELLS)
        share = changed(augment(X, noise, MEASURED)).float().mean().item()
        outcomes.add(share)
    assert outcomes == {0.0, 1.0}


def test_strength_zero_is_the_cell_itself() -> None:
    assert torch.equal(Augment(1.0, 0.0, 0.0, 0.0)(X, NOISE, MEASURED), X)
