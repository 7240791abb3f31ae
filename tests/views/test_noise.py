"""Noise against its law."""

import numpy as np
import pytest
import torch

from selfcell.rng import Noise
from selfcell.views.noise import gaussian_noise, negative_binomial_noise

NOISE = Noise(5, 2, torch.arange(400))
X = torch.rand(400, 300, generator=torch.Generator().manual_seed(0)) * 3


def test_negative_binomial_noise_equals_the_formula() -> None:
    count = NOISE.negative_binomial_mixture(300, "nb", 10).double().numpy()
    scaled = np.log1p(count / count.sum(1, keepdims=True) * 1e4)
    ours = negative_binomial_noise(X, NOISE, 0.2).double().numpy()
    np.testing.assert_allclose(ours, X.double().numpy() + 0.2 * scaled, rtol=1e-5, atol=1e-5)


def test_negative_binomial_noise_has_the_law_of_two_samplers() -> None:
    """Its share of zeros and its medians, against a gamma-Poisson sampler with p uniform."""
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    sampled = rng.negative_binomial(10, 1 - np.clip(p, 1e-12, 1 - 1e-9))
    ours = NOISE.negative_binomial_mixture(300, "law").numpy().ravel()
    for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert np.quantile(ours, quantile) == pytest.approx(
            np.quantile(sampled, quantile), rel=0.05
        )
    assert (ours == 0).mean() == pytest.approx((sampled == 0).mean(), abs=0.005)


def test_noise_adds_and_never_takes_away() -> None:
    assert (negative_binomial_noise(X, NOISE, 0.2) >= X).all()
    assert torch.equal(negative_binomial_noise(X, NOISE, 0.0), X)


def test_gaussian_noise() -> None:
    added = gaussian_noise(X + 5, NOISE, 0.5) - (X + 5)
    assert added.mean().item() == pytest.approx(0.0, abs=0.01)
    assert added.std().item() == pytest.approx(0.5, rel=0.02)
    assert (gaussian_noise(X * 0, NOISE, 0.5) >= 0).all()
