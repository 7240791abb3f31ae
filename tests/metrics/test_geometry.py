"""Shape of embeddings: known cases and bounds."""

import math

import pytest
import torch

from selfcell.metrics.geometry import alignment, effective_rank, retrieval, spread, uniformity
from selfcell.rng import torch_generator

Z = torch.randn(400, 8, generator=torch_generator("test geometry"))


def test_effective_rank() -> None:
    orthogonal = torch.linalg.qr(Z - Z.mean(0))[0]
    assert effective_rank(orthogonal) == pytest.approx(8.0, rel=1e-3)
    line = Z[:, :1] @ torch.ones(1, 8)
    assert effective_rank(line) == pytest.approx(1.0, abs=1e-3)
    assert effective_rank(torch.ones(10, 8)) == 1.0
    assert effective_rank(orthogonal + 100) == pytest.approx(8.0, rel=1e-2)


def test_spread() -> None:
    assert spread(Z * 3 + 7) == pytest.approx(3 * spread(Z), rel=1e-5)
    assert spread(torch.ones(10, 8)) == 0.0


def test_alignment() -> None:
    assert alignment(Z, 5 * Z) == pytest.approx(0.0, abs=1e-12)
    assert alignment(Z, -Z) == pytest.approx(4.0)


def test_uniformity() -> None:
    assert uniformity(torch.ones(20, 8)) == pytest.approx(0.0, abs=1e-12)
    two = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert uniformity(two) == pytest.approx(math.log(math.exp(-4.0)))
    assert uniformity(Z) < uniformity(Z + 2)


def test_retrieval() -> None:
    assert retrieval(Z, Z + 0.01) == 400.0
    assert retrieval(Z, Z.roll(1, 0)) == 0.0
    assert retrieval(torch.ones(10, 8), torch.ones(10, 8)) == 0.0  # collapsed: all are ties
    noise = torch.randn(400, 8, generator=torch_generator("other"))
    assert retrieval(Z, noise) < 10.0  # one chance hit in 400 counts 1
