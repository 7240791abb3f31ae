"""SimSiam: predict the projection of another view of the cell, which gets no gradient.

Source: Chen & He 2021 (SimSiam), algorithm 1; augmentations of Richter et al. 2024.
Differs from the paper: AdamW in place of SGD, and the widths: 1,024 hidden units, where Richter
et al. have 4,096, with which a step of 256 cells takes four times as long (`hidden`; 1.4 times if
in the predictor alone). Their released code reads the encoder's last but one layer
(`hook_layer: -2`), so that its last layer gets no gradient.

Shape suffixes: V the two views, B cells, D dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from selfcell.losses.cosine import cosine_distance
from selfcell.methods.base import Batch, Context, Descent, Method
from selfcell.methods.params import param
from selfcell.methods.siamese import Siamese, full, trunk
from selfcell.nets.heads import Head
from selfcell.rng import torch_generator
from selfcell.views.augment import both


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of SimSiam."""

    p: float = param(1.0, "probability of each augmentation for each cell", 0.0, 1.0)
    nb: float = param(0.2, "strength of negative-binomial noise; 0 is none", 0.0, 10.0)
    gaussian: float = param(0.0, "standard deviation of Gaussian noise; 0 is none", 0.0, 10.0)
    input_dropout: float = param(0.5, "share of inputs set to 0; 0 is none", 0.0, 0.99)
    per_batch: bool = param(False, "choose augmentations once for all cells of a step")
    clean_second: bool = param(False, "leave the second view as it is")
    encoder_dropout: float = param(0.0, "dropout of hidden units in training", 0.0, 0.99)
    hidden: int = param(1024, "width of projector and predictor", 1, 65536)
    size: int = param(256, "width of the projection", 1, 65536)
    hook_layer: int = param(-1, "layer the projector reads: -1 the code, -2 the one before", -2, -1)
    optimiser: str = param("adamw", "optimiser", choices=("adamw", "lars"))
    lr: float = param(1e-4, "learning rate", 1e-6, 10.0)
    weight_decay: float = param(1e-5, "weight decay", 0.0, 1.0)


class SimSiam(Siamese):
    """Encoder, a projector of three layers, a predictor of two."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.descent = Descent(params.optimiser, params.lr, params.weight_decay)
        width = context.hidden[params.hook_layer]
        rng = torch_generator(context.seed, "heads")
        sizes = [width, params.hidden, params.hidden, params.size]
        self.projector = Head(sizes, rng, norm_last=True)
        self.predictor = Head([params.size, params.hidden, params.size], rng)
        self.hook_layer = params.hook_layer

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """1 - the mean cosine of prediction and projection, both ways: the paper's loss + 1."""
        z_ND = trunk(self.encoder, self.hook_layer)(self.views(batch), both(batch.noise))
        z_VBD = self.projector(z_ND.unflatten(0, (2, -1)))
        p_VBD, t_VBD = full(self.predictor(z_VBD), z_VBD.detach())
        both_ways = cosine_distance(p_VBD[0], t_VBD[1]) + cosine_distance(p_VBD[1], t_VBD[0])
        return both_ways / 4.0, {}


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised."""
    return SimSiam(params, context)
