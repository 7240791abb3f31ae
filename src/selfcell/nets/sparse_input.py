"""A first layer that reads only the entries of its input that are not zero.

Where a mask leaves a few genes of each cell, nearly all products of the first layer are with
zeros. In float32 on a processor leaving them out is cheaper from a twentieth of the entries
down; in bfloat16 the processor's dense products are faster still.

Source: products of sparse matrices as torch and MKL have them; their use here is ours.

Shape suffixes: B cells, I inputs, O outputs.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from selfcell.nets.types import computing_dtype

MOST_FILLED = 0.05
"""Share of entries that are not zero above which the dense product is the faster one."""


class _SparseLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BI: Tensor, weight_OI: Tensor, bias_O: Tensor) -> Tensor:
        with warnings.catch_warnings():  # torch says once that the format is in beta
            warnings.filterwarnings("ignore", message="Sparse CSR")
            ctx.csr = x_BI.to_sparse_csr()
        return (ctx.csr @ weight_OI.T).add_(bias_O)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_BO = grads[0]
        # Columns of x are rows of its transpose: no value moves for it a second time.
        csc = ctx.csr.to_sparse_csc()
        parts = csc.ccol_indices(), csc.row_indices(), csc.values()
        size = csc.shape[1], csc.shape[0]
        transposed_IB = torch.sparse_csr_tensor(*parts, size, check_invariants=False)
        return None, (transposed_IB @ grad_BO).T.contiguous(), grad_BO.sum(0)


def few_values(x_BI: Tensor) -> bool:
    """Whether products that leave out the zeros of `x_BI` are the faster ones."""
    if x_BI.device.type != "cpu" or computing_dtype(x_BI) != torch.float32:
        return False
    if x_BI.dtype != torch.float32 or x_BI.requires_grad or not torch.backends.mkl.is_available():
        return False
    return int(x_BI.count_nonzero()) <= MOST_FILLED * x_BI.numel()


def first_layer(layer: nn.Module, x_BI: Tensor) -> Tensor:
    """(B, O) `layer(x)` of a linear layer, without the zeros of `x` where they are most of it.

    Equal to the dense product but for the order of sums; differentiable in the layer's weights.
    """
    if not few_values(x_BI):
        out_BO: Tensor = layer(x_BI)
        return out_BO
    weights = layer.get_parameter("weight"), layer.get_parameter("bias")
    sparse_BO: Tensor = _SparseLinear.apply(x_BI, *weights)
    return sparse_BO
