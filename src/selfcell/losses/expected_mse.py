"""Masked squared error with each zero weighted by its chance of being masked.

A random mask that hides a zero gives the network the input that it gives without: at zeros the
loss may take its expectation over masks. What the zeros then cost is a sum over all entries, two
products of D × D matrices, less a sum over the entries that are not zero; no (B, G) array of
predictions is made, and the mask's noise at zeros is gone from the gradient.

Source: ours; follows from Richter et al. 2024, masked autoencoder, MSE loss, linear output.

Shape suffixes: B cells, G genes, D hidden units, V entries that are not zero.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor


class _AtValues(torch.autograd.Function):
    """Sum over the entries that are not zero of m (y - x)^2 - p y^2, y the layer's output."""

    @staticmethod
    def forward(
        ctx: Any,
        h_BD: Tensor,
        weight_GD: Tensor,
        bias_G: Tensor,
        x_BG: Tensor,
        mask_BG: Tensor,
        rate: float,
    ) -> Tensor:
        with warnings.catch_warnings():  # torch says once that the format is in beta
            warnings.filterwarnings("ignore", message="Sparse CSR")
            at_BG = x_BG.to_sparse_csr()
        there_BG = x_BG != 0
        x_V, mask_V, gene_V = x_BG[there_BG], mask_BG[there_BG], at_BG.col_indices()
        y_V = torch.sparse.sampled_addmm(at_BG, h_BD, weight_GD.T, beta=0.0).values()
        y_V = y_V + bias_G[gene_V]
        error_V = (y_V - x_V) * mask_V
        slope_V = 2.0 * (error_V - rate * y_V)
        parts = at_BG.crow_indices(), gene_V, slope_V
        slope_BG = torch.sparse_csr_tensor(*parts, x_BG.shape, check_invariants=False)
        csc = slope_BG.to_sparse_csc()
        turned = csc.ccol_indices(), csc.row_indices(), csc.values()
        size = x_BG.shape[1], x_BG.shape[0]
        slope_GB = torch.sparse_csr_tensor(*turned, size, check_invariants=False)
        to_bias = torch.zeros_like(bias_G).index_add_(0, gene_V, slope_V)
        ctx.save_for_backward(slope_BG @ weight_GD, slope_GB @ h_BD, to_bias)
        return error_V.square().sum() - rate * y_V.square().sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return *(each * grads[0] for each in ctx.saved_tensors), None, None, None


def expected_mse(
    h_BD: Tensor,
    layer: torch.nn.Module,
    x_BG: Tensor,
    mask_BG: Tensor,
    measured_G: Tensor,
    rate: float,
    number: Tensor,
) -> Tensor:
    """Scalar: expectation of `masked_mse` of `layer(h)` over the masks of the zeros.

    The sum over all measured entries of w (y - x)^2, with w = 1 or 0 as the mask says where x is
    not zero and w = rate where it is, over `number`. Differentiable once, in `h_BD` and the
    layer's weights.

    Source: rate * sum y^2 over all entries + sum of m (y - x)^2 - rate * y^2 over those that are
    not zero; the first sum is that of (h, 1)'(h, 1) times (W, b)'(W, b).
    Differs from the paper: as `masked_mse` does; in float32 under autocast too, since two large
    sums are subtracted.

    Args:
        layer: linear, D to G, without an activation after it.
        x_BG: target, log1p expression, 0 for genes that are not measured. mask_BG: bool.
        measured_G: bool, genes that may be masked.
        rate: probability of masking an entry, in (0, 1); independent of all others.
        number: what to divide by, at least 1 is used: the expected number of masked entries.
    """
    with torch.autocast(x_BG.device.type, enabled=False):
        h_BD = h_BD.to(x_BG.dtype)
        weight_GD, bias_G = layer.get_parameter("weight"), layer.get_parameter("bias")
        h1_BD = torch.cat([h_BD, h_BD.new_ones(len(h_BD), 1)], 1)
        w1_GD = torch.cat([weight_GD, bias_G[:, None]], 1)[measured_G]
        every = ((h1_BD.T @ h1_BD) * (w1_GD.T @ w1_GD)).sum()
        values: Tensor = _AtValues.apply(h_BD, weight_GD, bias_G, x_BG, mask_BG, rate)
        return (rate * every + values) / number.clamp_min(1).to(x_BG.dtype)
