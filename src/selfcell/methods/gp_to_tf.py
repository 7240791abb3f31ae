"""Predict transcription factors from their target genes.

Source: Richter et al. 2024, "gene programme to transcription factor" (GP to TF), MSigDB C3:TFT.
Differs from the paper: several factors for each cell and step, since one gene's error a cell
does not train (the targets of 64 factors are about three quarters of the genes); factors' names
are resolved to symbols (`masks.tf_names`), and a drawn factor is never visible, even as another's
target; a tenth of a factor's targets must be in the vocabulary, where the released code means to
ask for nine tenths of a larger one. That code's branch never masked, so what it trained is a
plain autoencoder (`isolate: false`). Output and average as in `random_mask`.

Shape suffixes: B cells, G genes, P factors, K factors drawn.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from selfcell.errors import ConfigError
from selfcell.masks.programmes import Programmes, select
from selfcell.masks.tf_names import resolve
from selfcell.methods.base import Batch, Context, Method
from selfcell.methods.masked import Masked
from selfcell.methods.params import param

log = logging.getLogger("selfcell")

LEAST_FACTORS = 8  # with fewer in a cell's loss the encoder does not train; least `factors`, too


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of the programme-to-factor autoencoder."""

    gene_sets: str = param(
        "msigdb_tft", "TF target sets: a name in the registry or under `gene_sets`"
    )
    factors: int = param(
        64, "factors drawn for each cell, or all there are; fewer than 8 do not train", 8, 1000
    )
    isolate: bool = param(True, "show only targets, score only factors; false: everything")
    per_batch: bool = param(False, "the same factors for all cells of a step")
    min_genes: int = param(5, "factors with fewer measured targets are dropped", 1, 10000)
    min_share: float = param(0.1, "... or with less than this share of theirs", 0.0, 1.0)
    loss: str = param("mse", "loss: mse on log-expression, nb on counts", choices=("mse", "nb"))
    output: str = param(
        "linear", "last activation, mse only", choices=("linear", "softplus", "sigmoid")
    )
    average: str = param("masked", "entries the loss is averaged over", choices=("masked", "all"))
    rescale: bool = param(False, "divide visible inputs by the visible share of the genes")


class GPToTF(Masked):
    """Factors drawn for each cell and step; seen through their targets."""

    column_P: Tensor

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.number, self.per_batch = params.factors, params.per_batch
        self.isolate = params.isolate
        resolution = resolve(context.programmes)
        column = {s: i for i, s in enumerate(context.symbols) if context.measured_G[i]}
        targets = {tf: genes for tf, genes in resolution.targets.items() if tf in column}
        minima = params.min_genes, params.min_share
        names, member_PG, coverage = select(targets, context.symbols, context.measured_G, *minima)
        if len(names) < LEAST_FACTORS:
            raise ConfigError(
                f"{len(names)} factors have their gene and targets in the vocabulary",
                f"at least {LEAST_FACTORS}: with fewer the encoder does not train",
                "add the factors' genes to the vocabulary, or use other gene sets",
            )
        self.report = f"{resolution}; {len(targets)} of them measured; {coverage}"
        log.info("TF targets: %s", self.report)
        self.programmes = Programmes(member_PG)
        column_P = torch.tensor([column[name] for name in names])
        self.register_buffer("column_P", column_P, persistent=False)

    def decoded(self) -> Tensor:
        """(G,) bool: the factors' own genes."""
        if not self.isolate:
            return self.measured_G
        return torch.zeros_like(self.measured_G).index_fill(0, self.column_P, True)

    def draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Visible: targets of the drawn factors, without the factors. In the loss: the factors."""
        if not self.isolate:
            everything_BG = self.measured_G.expand_as(batch.x_BG)
            return everything_BG, everything_BG
        drawn_BK = self.programmes.some(batch.noise, self.number, self.per_batch)
        target_BG = torch.zeros_like(batch.x_BG[: len(drawn_BK)], dtype=torch.bool)
        target_BG = target_BG.scatter(1, self.column_P[drawn_BK], True).expand_as(batch.x_BG)
        return self.programmes.of(drawn_BK) & ~target_BG, target_BG


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised."""
    return GPToTF(params, context)
