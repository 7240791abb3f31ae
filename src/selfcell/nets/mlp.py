"""The study's multilayer perceptron: linear, activation, dropout, repeated.

Shape suffixes: B cells, I inputs, O outputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfcell.nets.sparse_input import first_layer
from selfcell.nets.types import as_number
from selfcell.rng import Noise, fan_in_uniform_

Activation = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Activation] = {
    "selu": F.selu,
    "relu": F.relu,
    "softplus": F.softplus,
    "sigmoid": torch.sigmoid,
}


class MLP(nn.Module):
    """Linear layers with an activation and dropout after each, the last one included by default.

    Source: Richter et al. 2024, Methods (encoder G-512-512-256-256-64, SELU, dropout 0.1).
    Differs from the paper: dropout masks come from the batch's `Noise`, keyed by cell, so that
    an interrupted or sharded run draws the same ones.

    Args:
        sizes: widths from the input to the output, at least two.
        rng: generator of the initial weights.
        activation: a key of `ACTIVATIONS`.
        dropout: probability of zeroing a hidden unit in training, in [0, 1).
        last: what follows the last linear layer: a key of `ACTIVATIONS`, "hidden" for the same
            activation and dropout as the hidden layers, or None for nothing.
        name: names the dropout streams; two networks of one method need different names.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        rng: torch.Generator,
        *,
        activation: str = "selu",
        dropout: float = 0.0,
        last: str | None = "hidden",
        name: str = "encoder",
    ) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"layer sizes {list(sizes)}: at least two positive widths are needed")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout {dropout} is outside [0, 1)")
        self.activation, self.dropout, self.last, self.name = activation, dropout, last, name
        self.width = sizes[-1]
        pairs = itertools.pairwise(sizes)
        layers = [nn.Linear(i, o, device="meta").to_empty(device="cpu") for i, o in pairs]
        for layer in layers:
            fan_in_uniform_(layer.weight, layer.in_features, rng)
            fan_in_uniform_(layer.bias, layer.in_features, rng)
        self.layers = nn.ModuleList(layers)

    def forward(self, x_BI: Tensor, noise: Noise | None = None) -> Tensor:
        """(B, I) to (B, O). Without `noise` nothing is dropped (evaluation)."""
        x_BO = self.layers[-1](self.before_last(x_BI, noise))
        if self.last == "hidden":
            return self._drop(ACTIVATIONS[self.activation](x_BO), noise, len(self.layers) - 1)
        return x_BO if self.last is None else ACTIVATIONS[self.last](x_BO)

    def before_last(self, x_BI: Tensor, noise: Noise | None = None) -> Tensor:
        """What the last linear layer reads."""
        hidden: Activation = ACTIVATIONS[self.activation]
        for index in range(len(self.layers) - 1):
            layer = self.layers[index]
            # In training only: an embedding must not depend on how full its batch is.
            sparse = index == 0 and noise is not None
            x_BI = first_layer(layer, x_BI) if sparse else layer(x_BI)
            x_BI = self._drop(hidden(x_BI), noise, index)
        return x_BI

    def _drop(self, x_BO: Tensor, noise: Noise | None, index: int) -> Tensor:
        if noise is None or self.dropout == 0.0:
            return x_BO
        stream = f"dropout/{self.name}/{index}"
        keep_BO = noise.bernoulli(1.0 - self.dropout, x_BO.shape[1], stream)
        return (x_BO * as_number(keep_BO, x_BO.dtype)).div_(1.0 - self.dropout)
