"""BYOL: predict a slowly moving target's projection of another view of the cell.

Source: Grill et al. 2020 (BYOL), eq. 1-2; augmentations of Richter et al. 2024.
Differs from the paper: the target keeps a constant share of itself, .99 as in Richter et al.,
where the paper's rises from .996 to 1; AdamW in place of LARS. The code released with Richter et
al. never moves the target (`moves: false`) and reads the encoder's last but one layer
(`hook_layer: -2`), so that its last layer gets no gradient.

Shape suffixes: V the two views, B cells, D dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from selfcell.losses.cosine import cosine_distance
from selfcell.methods.base import Batch, Context, Descent, Method
from selfcell.methods.params import param
from selfcell.methods.siamese import Siamese, full, trunk
from selfcell.nets.ema import frozen_copy, move
from selfcell.nets.heads import Head
from selfcell.rng import torch_generator
from selfcell.views.augment import both


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of BYOL."""

    p: float = param(1.0, "probability of each augmentation for each cell", 0.0, 1.0)
    nb: float = param(0.2, "strength of negative-binomial noise; 0 is none", 0.0, 10.0)
    gaussian: float = param(0.0, "standard deviation of Gaussian noise; 0 is none", 0.0, 10.0)
    input_dropout: float = param(0.5, "share of inputs set to 0; 0 is none", 0.0, 0.99)
    per_batch: bool = param(False, "choose augmentations once for all cells of a step")
    clean_second: bool = param(False, "leave the second view as it is")
    encoder_dropout: float = param(0.0, "dropout of hidden units in training", 0.0, 0.99)
    hidden: int = param(4096, "width of projector and predictor", 1, 65536)
    size: int = param(256, "width of the projection", 1, 65536)
    momentum: float = param(0.99, "share of itself that the target keeps each step", 0.0, 1.0)
    moves: bool = param(True, "whether the target moves at all")
    hook_layer: int = param(-1, "layer the projector reads: -1 the code, -2 the one before", -2, -1)
    optimiser: str = param("adamw", "optimiser", choices=("adamw", "lars"))
    lr: float = param(3e-4, "learning rate", 1e-6, 10.0)
    weight_decay: float = param(1e-5, "weight decay", 0.0, 1.0)


class BYOL(Siamese):
    """Online encoder, projector and predictor; target encoder and projector."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.descent = Descent(params.optimiser, params.lr, params.weight_decay)
        self.momentum, self.moves = params.momentum, params.moves
        width = context.hidden[params.hook_layer]
        rng = torch_generator(context.seed, "heads")
        self.projector = Head([width, params.hidden, params.size], rng)
        self.predictor = Head([params.size, params.hidden, params.size], rng)
        self.target_encoder = frozen_copy(self.encoder)
        self.target_projector = frozen_copy(self.projector)
        self.hook_layer = params.hook_layer

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Each view's prediction against the target's projection of the other, summed."""
        x_NG, noise = self.views(batch), both(batch.noise)
        online_ND = trunk(self.encoder, self.hook_layer)(x_NG, noise)
        p_VBD = self.predictor(self.projector(online_ND.unflatten(0, (2, -1))))
        with torch.no_grad():
            target_ND = trunk(self.target_encoder, self.hook_layer)(x_NG, noise)
            t_VBD = self.target_projector(target_ND.unflatten(0, (2, -1)))
        p_VBD, t_VBD = full(p_VBD, t_VBD)
        both_ways = cosine_distance(p_VBD[0], t_VBD[1]) + cosine_distance(p_VBD[1], t_VBD[0])
        return both_ways, {}

    def after_step(self) -> None:
        """Move the target."""
        if self.moves:
            move(self.target_encoder, self.encoder, self.momentum)
            move(self.target_projector, self.projector, self.momentum)


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised."""
    return BYOL(params, context)
