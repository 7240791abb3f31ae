"""Masked autoencoder with random masks: hide half of the entries, predict them.

Source: Richter et al. 2024, "random mask" pre-training.
Differs from the paper: linear instead of sigmoid output (log-expression exceeds 1), loss
averaged over masked entries, no rescaling of the kept inputs; `output`, `average` and `rescale`
bring the released behaviour back.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from selfcell.masks.random import random_mask
from selfcell.methods.base import Batch, Context, Method
from selfcell.methods.masked import Masked
from selfcell.methods.params import param


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of the random-mask autoencoder."""

    rate: float = param(0.5, "probability of masking an entry", 0.01, 0.99)
    loss: str = param("mse", "loss: mse on log-expression, nb on counts", choices=("mse", "nb"))
    output: str = param(
        "linear", "last activation, mse only", choices=("linear", "softplus", "sigmoid")
    )
    average: str = param("masked", "entries the loss is averaged over", choices=("masked", "all"))
    rescale: bool = param(False, "divide visible inputs by the visible share of the genes")


class RandomMask(Masked):
    """A fresh Bernoulli mask per entry and step."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.rate = params.rate

    def draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Visible: what the mask leaves. In the loss: what it hides."""
        mask_BG = random_mask(batch.noise, self.measured_G, self.rate)
        return ~mask_BG, mask_BG


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised."""
    return RandomMask(params, context)
