"""VICReg: views agree, every dimension varies, no two covary.

Source: Bardes et al. 2022 (VICReg), eq. 1-6; augmentations of Richter et al. 2024.
Differs from the paper: AdamW and narrower projector; the invariance term is divided by the number
of dimensions, as in its code, where eq. 5 sums over them. The study of Richter et al. has no
VICReg, the field's benchmark does.

Shape suffixes: V the two views, B cells, D dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from selfcell.losses.vicreg import vicreg
from selfcell.methods.base import Batch, Context, Descent, Method
from selfcell.methods.params import param
from selfcell.methods.siamese import Siamese, exact, full
from selfcell.nets.heads import Head
from selfcell.rng import torch_generator


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of VICReg."""

    p: float = param(1.0, "probability of each augmentation for each cell", 0.0, 1.0)
    nb: float = param(0.2, "strength of negative-binomial noise; 0 is none", 0.0, 10.0)
    gaussian: float = param(0.0, "standard deviation of Gaussian noise; 0 is none", 0.0, 10.0)
    input_dropout: float = param(0.5, "share of inputs set to 0; 0 is none", 0.0, 0.99)
    per_batch: bool = param(False, "choose augmentations once for all cells of a step")
    clean_second: bool = param(False, "leave the second view as it is")
    encoder_dropout: float = param(0.0, "dropout of hidden units in training", 0.0, 0.99)
    hidden: int = param(512, "width of the projector's hidden layers", 1, 65536)
    size: int = param(512, "width of the projection", 1, 65536)
    invariance: float = param(25.0, "weight of the views' squared difference", 0.0, 1e6)
    variance: float = param(25.0, "weight of the hinge on the standard deviation", 0.0, 1e6)
    covariance: float = param(1.0, "weight of the off-diagonal covariance", 0.0, 1e6)
    optimiser: str = param("adamw", "optimiser", choices=("adamw", "lars"))
    lr: float = param(1e-3, "learning rate", 1e-6, 10.0)
    weight_decay: float = param(1e-5, "weight decay", 0.0, 1.0)


class VICReg(Siamese):
    """Encoder and a projector of three layers."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.descent = Descent(params.optimiser, params.lr, params.weight_decay)
        self.weights = params.invariance, params.variance, params.covariance
        sizes = [context.hidden[-1], params.hidden, params.hidden, params.size]
        self.projector = Head(sizes, torch_generator(context.seed, "heads"))

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Invariance, variance and covariance of the two views' projections."""
        z_VBD = self.projector(self.codes(batch))
        with exact(z_VBD):
            (z_VBD,) = full(z_VBD)
            return vicreg(z_VBD[0], z_VBD[1], *self.weights), {}


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised."""
    return VICReg(params, context)
