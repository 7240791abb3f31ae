"""Projector and predictor: linear, batch normalisation, ReLU, repeated.

Batch statistics are ours, because torch's SyncBatchNorm refuses CPU: they run over the cells of
all processes. A head serves training alone, so there are no running statistics.

Shape suffixes: V views, B cells of this process, I inputs, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from selfcell.nets.across import processes
from selfcell.rng import fan_in_uniform_

EPSILON = 1e-5


def _shared(x: Tensor) -> Tensor:
    """`x` summed over all processes, in place, outside of autograd."""
    if processes() > 1:
        dist.all_reduce(x)
    return x


class _Standardise(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) over axis -2, with its closed-form derivative.

    Source: Ioffe & Szegedy 2015, algorithm 1 and section 3.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        cells = x.shape[-2] * processes()
        mean = _shared(x.sum(-2, keepdim=True)) / cells
        y = x - mean
        # Two passes: E[x^2] - E[x]^2 loses all digits where the mean is large.
        variance = _shared(y.square().sum(-2, keepdim=True)) / cells
        scale = torch.rsqrt(variance + EPSILON)
        y *= scale
        ctx.save_for_backward(y, scale)
        ctx.cells = cells
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        y, scale = ctx.saved_tensors
        grad = grads[0]
        mean_grad = _shared(grad.sum(-2, keepdim=True)) / ctx.cells
        mean_product = _shared((grad * y).sum(-2, keepdim=True)) / ctx.cells
        return torch.addcmul(grad - mean_grad, y, mean_product, value=-1.0).mul_(scale)


def standardise(x: Tensor) -> Tensor:
    """(..., B, D) to mean 0 and variance 1 (1/N, plus 1e-5) over the cells of all processes.

    Leading axes (views) are standardised each on their own.
    """
    return _Standardise.apply(x)


class BatchNorm(nn.Module):
    """Standardise over cells, then scale and shift by feature.

    Source: Ioffe & Szegedy 2015.
    Differs from the paper: statistics over all processes, none kept for evaluation.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """(..., B, D) in any float type to the same shape in float32 (float64 stays)."""
        y = standardise(x if x.dtype == torch.float64 else x.float())
        return torch.addcmul(self.bias, y, self.weight)


def _linear(inputs: int, outputs: int, rng: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    fan_in_uniform_(layer.weight, inputs, rng)
    fan_in_uniform_(layer.bias, inputs, rng)
    return layer


class Head(nn.Module):
    """Linear layers; batch normalisation and ReLU after each but the last.

    Source: Grill et al. 2020, Zbontar et al. 2021 (projectors and predictors).
    Differs from the papers: nothing but the widths, which are parameters.

    Args:
        sizes: widths from the input to the output, at least two.
        rng: generator of the initial weights.
        norm_last: batch normalisation after the last layer too (without ReLU).
    """

    def __init__(
        self, sizes: Sequence[int], rng: torch.Generator, *, norm_last: bool = False
    ) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"layer sizes {list(sizes)}: at least two positive widths are needed")
        self.layers = nn.ModuleList(_linear(i, o, rng) for i, o in pairwise(sizes))
        normed = sizes[1:] if norm_last else sizes[1:-1]
        self.norms = nn.ModuleList(BatchNorm(features) for features in normed)

    def forward(self, x: Tensor) -> Tensor:
        """(V, B, I) to (V, B, D); each view is normalised on its own."""
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index < len(self.norms):
                x = self.norms[index](x)
            if index + 1 < len(self.layers):
                x = F.relu(x)
        return x
