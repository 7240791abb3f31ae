"""Keyed randomness: distribution, independence, and that nothing but the key matters."""

import numpy as np
import pytest
import torch
from scipy import stats

from selfcell.rng import Noise

CELLS = torch.arange(400) * 7919 + 2**40


def test_values_depend_on_cell_step_seed_stream_only():
    noise = Noise(3, 5, CELLS)
    whole = noise.bits(50, "mask")
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Noise(3, 5, CELLS[order]).bits(50, "mask"), whole[order])
    assert torch.equal(noise.rows(order[:7]).bits(50, "mask"), whole[order[:7]])
    for other in (Noise(4, 5, CELLS), Noise(3, 6, CELLS), Noise(3, 5, CELLS + 2**32)):
        assert (other.bits(50, "mask") == whole).float().mean() < 0.001
    assert (noise.bits(50, "other") == whole).float().mean() < 0.001


def test_uniform_is_uniform_and_open():
    u = Noise(0, 0, CELLS).uniform(2000, "u").numpy()
    assert u.min() > 0.0
    assert u.max() < 1.0
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-4
    lagged = np.corrcoef(u[:, :-1].ravel(), u[:, 1:].ravel())[0, 1]
    assert abs(lagged) < 5 / np.sqrt(u.size)
    rows = np.corrcoef(u[:40])[np.triu_indices(40, 1)]
    assert abs(rows).max() < 5 / np.sqrt(2000)


@pytest.mark.parametrize("p", [0.0, 0.002, 0.1, 0.25, 0.5, 0.625, 0.93, 1.0])
def test_bernoulli_rate(p):
    draws = Noise(1, 2, CELLS).bernoulli(p, 1000, "b")
    assert draws.float().mean().item() == pytest.approx(p, abs=5 * (p * (1 - p) / 4e5) ** 0.5)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_bernoulli_draws_are_independent(p):
    """Of each other along a cell and along a gene, of another stream, and keyed by cell."""
    noise = Noise(1, 2, torch.arange(2000))
    draws = noise.bernoulli(p, 200, "b")
    both = torch.cat([draws, noise.bernoulli(p, 200, "c")], 1).float()
    for values in (both.T, draws[:200].float()):
        correlation = torch.corrcoef(values) - torch.eye(len(values))
        assert correlation.abs().max() < 6 / values.shape[1] ** 0.5
    assert torch.equal(noise.rows(torch.tensor([7, 3])).bernoulli(p, 200, "b"), draws[[7, 3]])


def test_bernoulli_refuses_impossible_rates():
    with pytest.raises(ValueError, match="1.5"):
        Noise(0, 0, CELLS).bernoulli(1.5, 3, "b")


def test_normal_moments():
    z = Noise(0, 9, CELLS).normal(1000, "n").double()
    assert z.mean().abs() < 5 / 4e5**0.5
    assert abs(z.std() - 1) < 0.01


def test_mixture_of_negative_binomials_has_the_integrated_distribution():
    """P(K >= k) = total / (k + total): integrate NB(k; total, p) over p in (0, 1), then sum.

    Checked against the integral itself, done numerically, not against the closed form.
    """
    counts = Noise(0, 1, CELLS).negative_binomial_mixture(2000, "k").numpy()
    p = (np.arange(200_000) + 0.5) / 200_000
    for k in (0, 1, 3, 10, 40):
        expected = stats.nbinom.pmf(k, 10, p).mean()
        assert (counts == k).mean() == pytest.approx(expected, abs=5 * (expected / 8e5) ** 0.5)
