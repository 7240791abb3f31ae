"""Each loss, forward and gradient, against the independent float64 reference."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import nbinom
from torch import Tensor

from selfcell.keys import generator
from selfcell.losses.barlow import barlow_twins
from selfcell.losses.cosine import cosine_distance
from selfcell.losses.masked_mse import masked_mse
from selfcell.losses.nb import expected_log1p, masked_nb, nb_deviance
from selfcell.losses.ntxent import ntxent
from selfcell.losses.vicreg import vicreg
from tests.reference import losses as reference

RNG = generator("test losses")
A, B = RNG.normal(size=(7, 4)), RNG.normal(size=(7, 4))
MASK = RNG.random((7, 4)) < 0.6
COUNT = RNG.poisson(2.0, (7, 4)).astype(float)
MEAN = RNG.gamma(2.0, 1.0, (7, 4)) + 0.1
DISPERSION = RNG.gamma(2.0, 1.0, 4) + 0.1


def compare(
    ours: Callable[[Tensor], Tensor], theirs: Callable[[np.ndarray], float], at: np.ndarray
) -> None:
    """Value and gradient of both at `at`."""
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    value = ours(x)
    value.backward()
    assert x.grad is not None
    np.testing.assert_allclose(value.item(), theirs(at), rtol=1e-10)
    np.testing.assert_allclose(x.grad.numpy(), reference.gradient(theirs, at), rtol=1e-5, atol=1e-8)


def t(x: np.ndarray) -> Tensor:
    """The array as a tensor."""
    return torch.as_tensor(x)


def test_masked_mse() -> None:
    compare(
        lambda y: masked_mse(y, t(A), t(MASK)),
        lambda y: reference.masked_mse(y, A, MASK),
        B,
    )


def test_masked_mse_of_nothing_masked_is_zero() -> None:
    assert masked_mse(t(A), t(B), torch.zeros(7, 4, dtype=torch.bool)).item() == 0.0


def test_masked_mse_over_a_given_number() -> None:
    loss = masked_mse(t(A), t(B), t(MASK), torch.tensor(28.0))
    assert loss.item() == pytest.approx(reference.masked_mse(A, B, MASK) * MASK.sum() / 28)


def test_masked_nb_in_its_mean() -> None:
    compare(
        lambda m: masked_nb(m, t(DISPERSION), t(COUNT), t(MASK)),
        lambda m: reference.negative_binomial(m, DISPERSION, COUNT, MASK),
        MEAN,
    )


def test_masked_nb_in_its_dispersion() -> None:
    compare(
        lambda d: masked_nb(t(MEAN), d, t(COUNT), t(MASK)),
        lambda d: reference.negative_binomial(MEAN, d, COUNT, MASK),
        DISPERSION,
    )


def test_negative_binomial_probabilities_sum_to_one() -> None:
    count = torch.arange(400.0, dtype=torch.float64)[:, None]
    mean, dispersion = torch.full_like(count, 3.0), torch.tensor([1.7], dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.bool)
    total = sum(torch.exp(-masked_nb(mean[:1], dispersion, k[None], one)).item() for k in count)
    assert total == pytest.approx(1.0, abs=1e-9)


def test_deviance_is_twice_the_gap_to_the_perfect_mean() -> None:
    mask = t(MASK & (COUNT > 0))  # at k = 0 the perfect mean is 0, where the log has no value
    perfect = masked_nb(t(COUNT).clamp_min(1e-9), t(DISPERSION), t(COUNT), mask)
    gap = masked_nb(t(MEAN), t(DISPERSION), t(COUNT), mask) - perfect
    deviance = nb_deviance(t(MEAN), t(DISPERSION), t(COUNT), mask)
    assert deviance.item() == pytest.approx(2 * gap.item() * mask.sum().item())


@pytest.mark.parametrize("total", [500.0, 20_000.0])
@pytest.mark.parametrize(
    ("dispersion", "mean", "within"),
    [
        (0.1, 0.01, 1e-4),
        (0.3, 1.0, 1e-3),
        (1.0, 30.0, 0.01),
        (50.0, 30.0, 0.01),
        (0.1, 100.0, 0.05),
    ],
)
def test_expected_log1p(total: float, dispersion: float, mean: float, within: float) -> None:
    """Against the sum over all counts that can be expected to come."""
    k = np.arange(20_000)
    drawn = nbinom.pmf(k, dispersion, dispersion / (dispersion + mean))
    expected = (drawn * np.log1p(k * 1e4 / total)).sum()
    args = torch.full((1, 1), mean), torch.tensor([dispersion]), torch.full((1, 1), 1e4 / total)
    assert expected_log1p(*args).item() == pytest.approx(expected, abs=within)


def test_cosine_distance_both_sides() -> None:
    compare(lambda p: cosine_distance(p, t(B)), lambda p: reference.cosine(p, B), A)
    compare(lambda z: cosine_distance(t(A), z), lambda z: reference.cosine(A, z), B)


def test_barlow_twins() -> None:
    compare(
        lambda a: barlow_twins(a, t(B), 0.0051),
        lambda a: reference.barlow_twins(a, B, 0.0051),
        A,
    )
    compare(
        lambda b: barlow_twins(t(A), b, 0.3),
        lambda b: reference.barlow_twins(A, b, 0.3),
        B,
    )


def test_barlow_twins_does_not_see_scale_and_shift() -> None:
    scale, shift = t(RNG.uniform(0.5, 2.0, 4)), t(RNG.normal(size=4))
    plain = barlow_twins(t(A), t(B)).item()
    assert barlow_twins(t(A) * scale + shift, t(B)).item() == pytest.approx(plain, rel=1e-4)
    assert barlow_twins(t(A), t(B) * scale - shift).item() == pytest.approx(plain, rel=1e-4)


def test_barlow_twins_of_uncorrelated_twins_is_zero() -> None:
    z = t(np.linalg.qr(A - A.mean(0))[0])
    z = (z - z.mean(0)) * 1e3
    assert barlow_twins(z, z).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_ntxent(temperature: float) -> None:
    compare(
        lambda a: ntxent(a, t(B), temperature),
        lambda a: reference.ntxent(a, B, temperature),
        A,
    )
    compare(
        lambda b: ntxent(t(A), b, temperature),
        lambda b: reference.ntxent(A, b, temperature),
        B,
    )


def of_equation(invariance: float, variance: float, covariance: float) -> tuple[float, ...]:
    """Weights that make the paper's equations, which sum the invariance over dimensions, ours."""
    return invariance / A.shape[1], variance, covariance


def test_vicreg() -> None:
    weights = (25.0, 25.0, 1.0)
    paper = of_equation(*weights)
    narrow = A * 0.5  # within the hinge
    compare(lambda a: vicreg(a, t(B), *weights), lambda a: reference.vicreg(a, B, paper), narrow)
    compare(lambda b: vicreg(t(A), b, *weights), lambda b: reference.vicreg(A, b, paper), narrow)


@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_each_term_of_vicreg(weights: tuple[float, float, float]) -> None:
    narrow, paper = B * 0.5, of_equation(*weights)
    compare(lambda b: vicreg(t(A), b, *weights), lambda b: reference.vicreg(A, b, paper), narrow)
