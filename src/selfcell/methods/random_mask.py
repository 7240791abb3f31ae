"""Masked autoencoder with random masks: hide half of the entries, predict them.

Source: Richter et al. 2024, "random mask" pre-training.
Differs from the paper: linear instead of sigmoid output (log-expression exceeds 1), loss
averaged over masked entries, no rescaling of the kept inputs; `output`, `average` and `rescale`
bring the released behaviour back.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from selfcell.losses.expected_mse import expected_mse
from selfcell.masks.random import random_mask
from selfcell.methods.base import Batch, Context, Method
from selfcell.methods.masked import Masked
from selfcell.methods.params import param
from selfcell.nets.across import mean_across


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of the random-mask autoencoder."""

    rate: float = param(0.5, "probability of masking an entry", 0.01, 0.99)
    loss: str = param(
        "mse",
        "loss: mse on log-expression, nb on counts, expected_mse: mse with zeros weighted by rate",
        choices=("mse", "nb", "expected_mse"),
    )
    output: str = param(
        "linear", "last activation, mse only", choices=("linear", "softplus", "sigmoid")
    )
    average: str = param("masked", "entries the loss is averaged over", choices=("masked", "all"))
    rescale: bool = param(False, "divide visible inputs by the visible share of the genes")

    def __post_init__(self) -> None:
        if self.loss == "expected_mse" and (self.output != "linear" or self.rescale):
            raise ValueError("loss expected_mse needs output linear and rescale false")


class RandomMask(Masked):
    """A fresh Bernoulli mask per entry and step."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.rate = params.rate

    def draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Visible: what the mask leaves. In the loss: what it hides."""
        mask_BG = random_mask(batch.noise, self.measured_G, self.rate)
        return ~mask_BG, mask_BG

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """As of every masked method, or its expectation over the masks of zeros."""
        if self.params.loss != "expected_mse":
            return super().loss(batch)
        visible_BG, mask_BG = self.draw(batch)
        every = self.params.average == "all"
        number = mask_BG.numel() if every else self.rate * len(mask_BG) * self.measured_G.sum()
        number = torch.as_tensor(number, dtype=torch.float32, device=batch.x_BG.device)
        h_BD = self._before_output(batch, visible_BG, train=True)
        asked = batch.x_BG, mask_BG, self.measured_G, self.rate, mean_across(number)
        return expected_mse(h_BD, self.decoder.layers[-1], *asked), {}


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised."""
    return RandomMask(params, context)
