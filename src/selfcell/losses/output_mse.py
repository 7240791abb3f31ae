"""Last layer of a decoder and its masked squared error in one, a block of genes at a time.

The (B, G) prediction, its error and their gradients are the largest arrays of a masked
autoencoder's step. Here a block of genes is predicted, compared and turned into gradients while
it is in the processor's cache, so none of them is ever held whole. The arithmetic is that of
`masked_mse` on the layer's output.

Source: the idea of blocks that stay in the cache is that of matrix products, Goto & van de Geijn
2008, taken on into the loss.
Differs from the paper: a loss comes with it.

Shape suffixes: B cells, G genes, D hidden units, C genes of the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from selfcell.fused import fused
from selfcell.nets.mlp import ACTIVATIONS
from selfcell.nets.types import as_number, computing_dtype

ENTRIES = {"cpu": 2**20, "cuda": 2**26}
"""Entries of a block: some MB in a processor's cache, few launches on a GPU."""

SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": lambda y: y * (1.0 - y),
    "softplus": lambda y: -torch.expm1(-y),
    "relu": lambda y: (y > 0).to(y.dtype),
}
"""Derivative of an activation, from its value."""


@fused
def compared(
    y_BC: Tensor, x_BC: Tensor, mask_BC: Tensor, factor: Tensor, last: str | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Squared error of a block before its last activation, the gradient of the layer's bias, and
    the slope at the layer's output, in the type of `y_BC`."""
    dtype = y_BC.dtype
    y_BC = y_BC if last is None else ACTIVATIONS[last](y_BC)
    error_BC = y_BC.to(x_BC.dtype, copy=True)
    error_BC -= x_BC
    error_BC *= as_number(mask_BC, x_BC.dtype)
    error = error_BC.square().sum()
    error_BC *= factor
    if last is not None:
        error_BC *= SLOPES[last](y_BC.to(x_BC.dtype))
    return error, error_BC.sum(0), error_BC.to(dtype)


class _OutputMSE(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        h_BD: Tensor,
        weight_GD: Tensor,
        bias_G: Tensor,
        x_BG: Tensor,
        mask_BG: Tensor,
        number: Tensor,
        blocks: list[Any],
        last: str | None,
    ) -> Tensor:
        dtype = computing_dtype(h_BD)
        h_BD, factor = h_BD.to(dtype), 2.0 / number
        whole = torch.empty_like if isinstance(blocks[0], slice) else torch.zeros_like
        to_h = torch.zeros_like(h_BD, dtype=x_BG.dtype)
        to_weight, to_bias = whole(weight_GD), whole(bias_G)
        total = x_BG.new_zeros(())
        for genes in blocks:
            weight_CD = weight_GD[genes].to(dtype)
            y_BC = torch.addmm(bias_G[genes].to(dtype), h_BD, weight_CD.T)
            error, to_bias[genes], slope_BC = compared(
                y_BC, x_BG[:, genes], mask_BG[:, genes], factor, last
            )
            total += error
            to_weight[genes] = (slope_BC.T @ h_BD).to(weight_GD.dtype)
            to_h += slope_BC @ weight_CD
        # Not `save_for_backward`: what it holds would be copied once more into `.grad`.
        ctx.grads = to_h, to_weight, to_bias
        return total / number

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        mine = ctx.grads
        del ctx.grads
        if float(grad) != 1.0:
            mine = tuple(each * grad for each in mine)
        to_h, to_weight, to_bias = mine
        return to_h, to_weight, to_bias, None, None, None, None, None


def output_mse(
    h_BD: Tensor,
    layer: torch.nn.Module,
    x_BG: Tensor,
    mask_BG: Tensor,
    number: Tensor,
    *,
    last: str | None = None,
    gene_C: Tensor | None = None,
) -> Tensor:
    """Scalar: `masked_mse` of the output `last(layer(h))`, without holding that output.

    Differentiable once, in `h_BD` and the layer's weights.

    Source: Richter et al. 2024, masked autoencoder, MSE loss, as in `masked_mse`.
    Differs from the paper: as `masked_mse` does. In bfloat16 the gradient of `h_BD` is summed over
    blocks in float32.

    Args:
        layer: linear, D to G.
        x_BG: target, log1p expression. mask_BG: bool. number: what to divide by, at least 1 is
            used.
        last: the activation after the layer; None for none.
        gene_C: int64 columns outside of which the mask is False everywhere, so that they need no
            arithmetic; None: all.
    """
    rows, genes = x_BG.shape
    size = max(256, ENTRIES.get(x_BG.device.type, 2**26) // max(1, rows))
    blocks: list[Any] = [slice(start, start + size) for start in range(0, genes, size)]
    if gene_C is not None:
        blocks = list(gene_C.split(size))
    weights = layer.get_parameter("weight"), layer.get_parameter("bias")
    count = number.clamp_min(1).to(x_BG.dtype)
    loss: Tensor = _OutputMSE.apply(h_BD, *weights, x_BG, mask_BG, count, blocks, last)
    return loss
