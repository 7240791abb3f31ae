"""What all joint-embedding methods share: two views of each cell, their codes, the gate.

A joint-embedding method adds a head and a loss on the two views; this base does the rest, so
that two methods differ by those alone.

Defaults of the views: every view is augmented and half of its entries are dropped. With the
milder settings of Richter et al. (p 0.3, dropout 0.1) a few hundred steps at batch 256 leave
predictive methods close to where they started; those settings are the deviation `mild_views`.

Shape suffixes: V the two views, B cells, G genes, D latent dimensions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from selfcell.methods.base import Batch, Context, Health, Method
from selfcell.metrics.geometry import alignment, effective_rank, retrieval, spread, uniformity
from selfcell.nets.mlp import MLP
from selfcell.rng import torch_generator
from selfcell.views.augment import Augment, both, second

TIMES_CHANCE = 10.0
GATE = Augment(p=1.0, nb=0.2, gaussian=0.0, dropout=0.8)


class ViewParams(Protocol):
    """The hyper-parameters that every joint-embedding method has."""

    @property
    def p(self) -> float:
        """Probability of each augmentation."""

    @property
    def nb(self) -> float:
        """Strength of the negative-binomial noise."""

    @property
    def gaussian(self) -> float:
        """Standard deviation of the Gaussian noise."""

    @property
    def input_dropout(self) -> float:
        """Share of inputs set to 0."""

    @property
    def per_batch(self) -> bool:
        """Whether the choice of augmentations is made once a step."""

    @property
    def clean_second(self) -> bool:
        """Whether the second view is the cell as it is."""

    @property
    def encoder_dropout(self) -> float:
        """Dropout of hidden units."""


class Siamese(Method):
    """An encoder and two views of each cell."""

    measured_G: Tensor

    def __init__(self, params: ViewParams, context: Context) -> None:
        super().__init__()
        self.encoder = replace(context, dropout=params.encoder_dropout).encoder()
        self.augment = Augment(
            params.p, params.nb, params.gaussian, params.input_dropout, params.per_batch
        )
        self.clean_second = params.clean_second
        self.register_buffer("measured_G", torch.as_tensor(context.measured_G), persistent=False)

    def views(self, batch: Batch) -> Tensor:
        """(V*B, G) first views, then second views, in the type that a layer computes in."""
        first_BG = self.augment(batch.x_BG, batch.noise, self.measured_G)
        if self.clean_second:
            return torch.cat([first_BG, batch.x_BG.to(first_BG.dtype)])
        second_BG = self.augment(batch.x_BG, second(batch.noise), self.measured_G)
        return torch.cat([first_BG, second_BG])

    def codes(self, batch: Batch) -> Tensor:
        """(V, B, D) codes of two fresh views, in training mode."""
        z_ND = self.encoder(self.views(batch), both(batch.noise))
        return z_ND.unflatten(0, (2, -1))

    @torch.no_grad()
    def health(self, batch: Batch) -> Health:
        """Retrieval of each cell's second view by its first among the batch, over chance.

        The views are `GATE`'s for every method, far from each other: under the views of training
        an encoder that was never trained finds nearly every cell. Of fewer than 20 cells half are
        to be found, since more than all of them cannot be.
        """
        x_NG = GATE(torch.cat([batch.x_BG, batch.x_BG]), both(batch.noise), self.measured_G)
        first_BD, second_BD = self.embed(x_NG).float().unflatten(0, (2, -1))
        z_BD = self.embed(batch.x_BG)
        return Health(
            "retrieval",
            retrieval(first_BD, second_BD),
            min(TIMES_CHANCE, len(z_BD) / 2),
            effective_rank(z_BD),
            spread(z_BD),
            alignment=alignment(first_BD, second_BD),
            uniformity=uniformity(z_BD),
        )


def trunk(encoder: MLP, hook_layer: int) -> MLP:
    """The encoder up to its layer `hook_layer` (-1 the last), sharing its weights."""
    if hook_layer == -1:
        return encoder
    short = MLP(
        [1, 1],
        torch_generator("trunk"),
        activation=encoder.activation,
        dropout=encoder.dropout,
        last=encoder.last,
        name=encoder.name,
    )
    short.layers = encoder.layers[: hook_layer + 1]
    return short


def full(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors in float32 (float64 stays): losses of correlations need its digits."""
    return tuple(t if t.dtype == torch.float64 else t.float() for t in tensors)


def exact(x: Tensor) -> torch.autocast:
    """A block in which matrix products are not rounded to bfloat16."""
    return torch.autocast(x.device.type, enabled=False)
