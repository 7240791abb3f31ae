"""Batch normalisation and heads against float64 NumPy and against torch's own."""

import numpy as np
import pytest
import torch

from selfcell.keys import generator
from selfcell.nets.heads import BatchNorm, Head, standardise
from selfcell.rng import torch_generator
from tests.reference.losses import gradient
from tests.reference.masks import standardise as reference

X = generator("test heads").normal(2.0, 3.0, (6, 4))
WEIGHT = generator("test heads weight").normal(size=(6, 4))


def test_standardise_forward_and_gradient() -> None:
    x = torch.tensor(X, requires_grad=True)
    y = standardise(x)
    np.testing.assert_allclose(y.detach().numpy(), reference(X), rtol=1e-10)
    (y * torch.as_tensor(WEIGHT)).sum().backward()
    slope = gradient(lambda v: float((reference(v) * WEIGHT).sum()), X)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), slope, rtol=1e-5, atol=1e-9)


def test_standardise_keeps_its_digits_far_from_zero() -> None:
    x = torch.tensor(X, dtype=torch.float32)
    torch.testing.assert_close(standardise(x + 3000), standardise(x), rtol=1e-3, atol=1e-3)


def test_each_view_is_normalised_on_its_own() -> None:
    views = torch.tensor(np.stack([X, 5 * X - 3]))
    torch.testing.assert_close(standardise(views)[1], standardise(views[1]))


def test_batch_norm_equals_torchs() -> None:
    x = torch.tensor(X, dtype=torch.float32)
    theirs = torch.nn.functional.batch_norm(x, None, None, training=True)
    ours = BatchNorm(4)
    torch.testing.assert_close(ours(x), theirs)
    with torch.no_grad():
        ours.weight.fill_(2.0)
        ours.bias.fill_(-1.0)
    torch.testing.assert_close(ours(x), 2 * theirs - 1)


@pytest.mark.parametrize("norm_last", [False, True])
def test_head_is_linear_norm_relu(norm_last: bool) -> None:
    head = Head([4, 5, 3], torch_generator(0), norm_last=norm_last).double()
    x = torch.tensor(X)
    w0, w1 = (layer.weight.detach().numpy() for layer in head.layers)
    b0, b1 = (layer.bias.detach().numpy() for layer in head.layers)
    hidden = np.maximum(0, reference(X @ w0.T + b0))
    out = hidden @ w1.T + b1
    expected = reference(out) if norm_last else out
    np.testing.assert_allclose(head(x).detach().numpy(), expected, rtol=1e-8)
    assert len(head.norms) == 1 + norm_last


def test_head_starts_from_its_generator_alone() -> None:
    one, two = (Head([4, 5, 3], torch_generator("a")).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_too_few_layers() -> None:
    with pytest.raises(ValueError, match="at least two positive widths"):
        Head([4], torch_generator(0))
