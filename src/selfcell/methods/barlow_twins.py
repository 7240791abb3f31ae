"""Barlow Twins: the two views' projections correlate dimension by dimension, and only so.

Source: Zbontar et al. 2021 (Barlow Twins); augmentations of Richter et al. 2024.
Differs from the paper: four layers of projector, of the widths of Richter et al.; LARS warms up
over 20 steps, its rate then decays as the study's does, and gradients are clipped. The code
released with Richter et al. makes LARS anew at each step, so that it has no momentum
(`lars_momentum: 0`), and leaves one view as it is (`clean_second`).

Shape suffixes: V the two views, B cells, D dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from selfcell.losses.barlow import barlow_twins
from selfcell.methods.base import Batch, Context, Descent, Method
from selfcell.methods.params import param
from selfcell.methods.siamese import Siamese, exact, full
from selfcell.nets.heads import Head
from selfcell.rng import torch_generator


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of Barlow Twins."""

    p: float = param(1.0, "probability of each augmentation for each cell", 0.0, 1.0)
    nb: float = param(0.2, "strength of negative-binomial noise; 0 is none", 0.0, 10.0)
    gaussian: float = param(0.0, "standard deviation of Gaussian noise; 0 is none", 0.0, 10.0)
    input_dropout: float = param(0.5, "share of inputs set to 0; 0 is none", 0.0, 0.99)
    per_batch: bool = param(False, "choose augmentations once for all cells of a step")
    clean_second: bool = param(False, "leave the second view as it is")
    encoder_dropout: float = param(0.0, "dropout of hidden units in training", 0.0, 0.99)
    hidden: int = param(256, "width of the projector's first two layers", 1, 65536)
    size: int = param(512, "width of its last two layers", 1, 65536)
    off_diagonal: float = param(0.0051, "weight of the redundancy term", 0.0, 10.0)
    optimiser: str = param("lars", "optimiser", choices=("adamw", "lars"))
    lr: float = param(0.2, "learning rate", 1e-6, 10.0)
    weight_decay: float = param(1e-6, "weight decay", 0.0, 1.0)
    lars_momentum: float = param(0.9, "momentum of LARS", 0.0, 0.999)


class BarlowTwins(Siamese):
    """Encoder and a projector of four layers."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.descent = Descent(
            params.optimiser, params.lr, params.weight_decay, params.lars_momentum
        )
        self.off_diagonal = params.off_diagonal
        sizes = [context.hidden[-1], params.hidden, params.hidden, params.size, params.size]
        self.projector = Head(sizes, torch_generator(context.seed, "heads"))

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-correlation of the two views' projections against the identity."""
        z_VBD = self.projector(self.codes(batch))
        with exact(z_VBD):
            (z_VBD,) = full(z_VBD)
            return barlow_twins(z_VBD[0], z_VBD[1], self.off_diagonal), {}


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised."""
    return BarlowTwins(params, context)
