"""What a pretext task is: views of a batch, a loss on them, an embedding.

Shape suffixes: B cells, G genes, D latent dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from selfcell.nets.mlp import MLP
from selfcell.rng import Noise, torch_generator


@dataclass(frozen=True)
class Batch:
    """Cells of one step.

    Attributes:
        x_BG: float32 log1p of counts scaled to 10,000 a cell; 0 for genes not measured.
        count_BG: float32 raw counts.
        total_B: float32 counts of the cell over all its genes, > 0 (the size factor times 1e4).
        noise: the step's random numbers.
        label_B: int64 class of each cell; only in fine-tuning.
    """

    x_BG: Tensor
    count_BG: Tensor
    total_B: Tensor
    noise: Noise
    label_B: Tensor | None = None


@dataclass(frozen=True)
class Context:
    """What a method may know of the corpus before training; never a label.

    Attributes:
        gene_ids, symbols: the vocabulary, in column order.
        measured_G: bool, genes that the corpus measured; the others are 0 in every cell and are
            never masked and never in a loss.
        mean_G: float32 mean of log1p expression over the corpus's training cells.
        detection_G: float32 share of training cells that express the gene, in [0, 1].
        programmes: gene sets by name (symbols), for methods with a `gene_sets` parameter.
        hidden: encoder widths, the last one the embedding's.
        activation, dropout: of encoder and decoder.
        seed: of the run; initial weights derive from it.
    """

    gene_ids: Sequence[str]
    symbols: Sequence[str]
    measured_G: np.ndarray
    mean_G: np.ndarray
    detection_G: np.ndarray
    programmes: Mapping[str, Sequence[str]]
    hidden: Sequence[int]
    activation: str
    dropout: float
    seed: int

    def encoder(self) -> MLP:
        """A freshly initialised encoder. The same seed gives the same weights in every method,
        so that arms of one seed start alike."""
        return MLP(
            [len(self.gene_ids), *self.hidden],
            torch_generator(self.seed, "encoder"),
            activation=self.activation,
            dropout=self.dropout,
            name="encoder",
        )

    def decoder(self, outputs: int, last: str | None) -> MLP:
        """The mirror of the encoder with `outputs` units and the activation `last`."""
        return MLP(
            [*reversed(self.hidden), outputs],
            torch_generator(self.seed, "decoder"),
            activation=self.activation,
            dropout=self.dropout,
            last=last,
            name="decoder",
        )


@dataclass(frozen=True)
class Health:
    """Whether a run learned (study protocol: the learning gate).

    Attributes:
        kind: "skill" (1 - loss/loss of the gene mean on masked entries) or "retrieval" (share of
            cells whose second view is nearest to their first, over chance).
        value: of that measure on validation cells.
        threshold: the least value that counts as learned.
        effective_rank: exp of the entropy of the embedding's normalised singular values, in
            [1, D].
        spread: mean standard deviation of the embedding's dimensions.
        difficulty: masked methods: squared error of the gene means on the entries in the loss,
            over the same on all measured entries.
        alignment, uniformity: joint-embedding methods: of the normalised codes of two views
            (`metrics.geometry`); lower is better for both.
    """

    kind: str
    value: float
    threshold: float
    effective_rank: float
    spread: float
    difficulty: float | None = None
    alignment: float | None = None
    uniformity: float | None = None

    @property
    def status(self) -> str:
        """One of "collapsed" (all cells embed to one point), "not_learned" or "ok"."""
        if not (self.spread >= 1e-4 and self.effective_rank >= 1.5):  # as NaN is not
            return "collapsed"
        enough = self.kind != "retrieval" or self.effective_rank > 5.0
        return "ok" if self.value > self.threshold and enough else "not_learned"


@dataclass(frozen=True)
class Descent:
    """How a method wants to be trained, where that is not the study's AdamW.

    Attributes:
        name: "adamw" or "lars".
        lr: learning rate, per step. weight_decay: of that optimiser. momentum: LARS's.
    """

    name: str
    lr: float
    weight_decay: float
    momentum: float = 0.9


class Method(nn.Module):
    """A pretext task. Subclasses set `encoder` and give `loss` and `health`.

    `report` is what set-up has to say to the user, such as the gene sets kept; "" is nothing.
    `descent` is the method's own optimiser; None leaves it to the study.
    """

    encoder: MLP
    report: str = ""
    descent: Descent | None = None

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to minimise and what to log beside it (scalars, detached)."""
        raise NotImplementedError

    def after_step(self) -> None:
        """Called after each optimiser step; momentum targets move here."""

    @torch.no_grad()
    def health(self, batch: Batch) -> Health:
        """The learning gate on validation cells, in evaluation mode."""
        raise NotImplementedError

    def decoded(self) -> Tensor | None:
        """(G,) bool: the genes that the method's decoder learns to predict; None without one."""
        return None

    @torch.no_grad()
    def embed(self, x_BG: Tensor) -> Tensor:
        """(B, G) log1p expression to the (B, D) code, without dropout. Each row depends on its
        own cell alone."""
        return self.encoder(x_BG)
