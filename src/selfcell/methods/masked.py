"""What all masked autoencoders share: encode what is visible, predict what is in the loss.

A masked method says which entries the encoder may see and which the loss looks at; this base
does the rest, so that two methods differ by their `draw` alone.

Shape suffixes: B cells, G genes, D latent dimensions.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from selfcell.fused import fused
from selfcell.losses.masked_mse import masked_mse
from selfcell.losses.nb import LEAST_MEAN, in_counts, masked_nb, nb_deviance
from selfcell.losses.output_mse import output_mse
from selfcell.methods.base import Batch, Context, Health, Method
from selfcell.metrics.geometry import effective_rank, spread
from selfcell.nets.across import mean_across
from selfcell.nets.mlp import ACTIVATIONS
from selfcell.nets.types import as_number, at_once, computing_dtype

LEAST_SKILL = 0.05
MOST_PICKED = 0.75  # picking columns out costs more than it saves above this share of them


def seen(x_BG: Tensor, visible_BG: Tensor) -> Tensor:
    """(B, G) x with 0 for what is not visible, in the type that the first layer computes in.

    By blocks of cells, so that nothing but the result is written to memory.
    """
    out_BG = torch.empty_like(x_BG, dtype=computing_dtype(x_BG))
    for start in range(0, len(x_BG), size := at_once(x_BG)):
        part = slice(start, start + size)
        show(x_BG[part], visible_BG[part], out_BG[part])
    return out_BG


@fused
def show(x_BG: Tensor, visible_BG: Tensor, out_BG: Tensor) -> None:
    """Write x with 0 for what is not visible to `out_BG`."""
    out_BG.copy_(x_BG)
    out_BG *= as_number(visible_BG, out_BG.dtype)


class MaskedParams(Protocol):
    """The hyper-parameters that every masked autoencoder has."""

    @property
    def loss(self) -> str:
        """ "mse" on log1p expression, or another that a method has; "nb" on raw counts."""

    @property
    def output(self) -> str:
        """Last activation of the decoder under "mse"."""

    @property
    def average(self) -> str:
        """What the loss is divided by: "masked" entries or "all"."""

    @property
    def rescale(self) -> bool:
        """Whether visible inputs are divided by the visible share."""


class Masked(Method):
    """Encoder, mirrored decoder, and a `draw` of each subclass."""

    measured_G: Tensor
    mean_G: Tensor

    def __init__(self, params: MaskedParams, context: Context) -> None:
        super().__init__()
        self.params = params
        linear = params.loss == "nb" or params.output == "linear"
        genes = len(context.gene_ids)
        self.encoder = context.encoder()
        self.decoder = context.decoder(genes, None if linear else params.output)
        self.log_dispersion_G = nn.Parameter(torch.zeros(genes)) if params.loss == "nb" else None
        if self.log_dispersion_G is not None:  # start at each gene's mean, not at one for all
            start_G = torch.as_tensor(context.mean_G).expm1().clamp_min(1e-3).log()
            self.decoder.layers[-1].get_parameter("bias").data.copy_(start_G)
        self.register_buffer("measured_G", torch.as_tensor(context.measured_G), persistent=False)
        self.register_buffer("mean_G", torch.as_tensor(context.mean_G), persistent=False)

    def draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Two (B, G) bool masks: entries the encoder may see, entries in the loss."""
        raise NotImplementedError

    def decoded(self) -> Tensor:
        """(G,) bool: genes that are ever in the loss; all that are measured unless said."""
        return self.measured_G

    def _before_output(self, batch: Batch, visible_BG: Tensor, train: bool) -> Tensor:
        """What the decoder's last layer reads, from the visible entries; the others are 0."""
        x_BG = seen(batch.x_BG, visible_BG)
        if self.params.rescale:
            seen_B1 = (visible_BG & self.measured_G).count_nonzero(1)[:, None]
            share_B1 = seen_B1 / self.measured_G.sum()
            x_BG = x_BG / share_B1.clamp_min(1e-3)
        noise = batch.noise if train else None
        return self.decoder.before_last(self.encoder(x_BG, noise), noise)

    def reconstruct(self, batch: Batch, visible_BG: Tensor, train: bool) -> Tensor:
        """(B, G) decoder output from the visible entries; the others reach it as 0."""
        y_BG: Tensor = self.decoder.layers[-1](self._before_output(batch, visible_BG, train))
        last = self.decoder.last
        return y_BG if last is None else ACTIVATIONS[last](y_BG)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Error of the reconstruction over the entries in the loss, of all processes."""
        visible_BG, target_BG = self.draw(batch)
        every = self.params.average == "all"
        number = target_BG.numel() if every else target_BG.count_nonzero()
        number = torch.as_tensor(number, dtype=torch.float32, device=batch.x_BG.device)
        number = mean_across(number)
        if self.log_dispersion_G is None:
            h_BD = self._before_output(batch, visible_BG, train=True)
            layer, last = self.decoder.layers[-1], self.decoder.last
            asked_C = self._columns(target_BG)
            args = batch.x_BG, target_BG, number
            return output_mse(h_BD, layer, *args, last=last, gene_C=asked_C), {}
        y_BG = self.reconstruct(batch, visible_BG, train=True)
        mean_BG, dispersion_G = in_counts(y_BG, batch.total_B, self.log_dispersion_G)
        return masked_nb(mean_BG, dispersion_G, batch.count_BG, target_BG, number), {}

    def _columns(self, target_BG: Tensor) -> Tensor | None:
        """Columns of the entries in the loss, where leaving out the others saves something."""
        asked_G = target_BG[0] if target_BG.stride(0) == 0 else self.decoded()
        asked_C = asked_G.nonzero()[:, 0]
        return asked_C if len(asked_C) < MOST_PICKED * len(asked_G) else None

    @torch.no_grad()
    def health(self, batch: Batch) -> Health:
        """Masked skill, 1 - error / error of the gene means, over the entries in the loss.

        The error is the squared error under "mse", the negative binomial deviance under "nb".
        `difficulty` is the squared error of the gene means over those entries, divided by the
        same over all measured entries: above 1, the task asks for harder entries than chance.
        """
        visible_BG, target_BG = self.draw(batch)
        y_BG = self.reconstruct(batch, visible_BG, train=False)
        null_BG = self.mean_G.expand_as(batch.x_BG)
        null = masked_mse(null_BG, batch.x_BG, target_BG)
        every = masked_mse(null_BG, batch.x_BG, self.measured_G.expand_as(target_BG))
        if self.log_dispersion_G is None:
            ratio = masked_mse(y_BG, batch.x_BG, target_BG) / null
        else:
            ratio = self._deviance_ratio(y_BG, batch, target_BG)
        z_BD = self.embed(batch.x_BG)
        shape = effective_rank(z_BD), spread(z_BD)
        skill, difficulty = float(1 - ratio), float(null / every)
        return Health("skill", skill, LEAST_SKILL, *shape, difficulty=difficulty)

    def _deviance_ratio(self, y_BG: Tensor, batch: Batch, target_BG: Tensor) -> Tensor:
        """Deviance over that of each gene's own share of all counts, from this very batch."""
        assert self.log_dispersion_G is not None
        mean_BG, dispersion_G = in_counts(y_BG, batch.total_B, self.log_dispersion_G)
        share_G = batch.count_BG.sum(0) / batch.total_B.sum()
        null_BG = (batch.total_B[:, None] * share_G).clamp_min(LEAST_MEAN)
        model = nb_deviance(mean_BG, dispersion_G, batch.count_BG, target_BG)
        return model / nb_deviance(null_BG, dispersion_G, batch.count_BG, target_BG)
