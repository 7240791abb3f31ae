"""Control of `gene_programme`: random masks that hide each gene as often as its masks do.

Source: the study protocol.
Differs from the paper: it has no such control.

Shape suffixes: B cells, G genes, N simulated cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from selfcell.keys import derive
from selfcell.masks.random import rated_mask
from selfcell.methods.base import Batch, Context, Method
from selfcell.methods.gene_programme import DrawParams, GeneProgramme, covered
from selfcell.methods.masked import Masked
from selfcell.methods.params import param
from selfcell.rng import Noise

SIMULATED = 4096
BATCH = 256  # cells of a step, where one mask is made for all that they express


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of the rate-matched autoencoder; the programmes only set the rates."""

    gene_sets: str = param("msigdb_c8", "gene sets: a name in the registry or under `gene_sets`")
    share: float = param(0.25, "share to mask, of what `of` names", 0.001, 0.99)
    of: str = param(
        "measured",
        "what the share counts: measured genes, genes the cell expresses, programmes",
        choices=("measured", "expressed", "programmes"),
    )
    per_batch: bool = param(False, "one mask for all cells of a step")
    min_genes: int = param(5, "programmes with fewer measured genes are dropped", 1, 10000)
    min_share: float = param(0.1, "... or with less than this share of theirs", 0.0, 1.0)
    loss: str = param("mse", "loss: mse on log-expression, nb on counts", choices=("mse", "nb"))
    output: str = param(
        "linear", "last activation, mse only", choices=("linear", "softplus", "sigmoid")
    )
    average: str = param("masked", "entries the loss is averaged over", choices=("masked", "all"))
    rescale: bool = param(False, "divide visible inputs by the visible share of the genes")


class RandomMaskMatched(Masked):
    """Independent Bernoulli masks with a rate of its own for each gene."""

    rate_G: Tensor

    def __init__(self, params: DrawParams, context: Context, rate_G: Tensor) -> None:
        super().__init__(params, context)
        self.per_batch = params.per_batch
        self.register_buffer("rate_G", rate_G, persistent=False)

    def decoded(self) -> Tensor:
        """(G,) bool: genes that are ever masked."""
        return self.rate_G > 0

    def draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Visible: what the mask leaves. In the loss: what it hides."""
        noise = batch.noise
        if self.per_batch:
            noise = Noise(noise.seed, noise.step, torch.zeros_like(noise.cell_B[:1]))
        mask_BG = rated_mask(noise, self.rate_G).expand_as(batch.x_BG)
        return ~mask_BG, mask_BG


@torch.no_grad()
def masking_rate(method: GeneProgramme, detection_G: Tensor) -> Tensor:
    """(G,) float32 share of 4,096 simulated cells in which the method masks each gene.

    Where masks depend on the genes a cell expresses, the simulated cells express each gene
    independently with its detection rate. One mask for a whole step has the law of one cell's
    mask, that cell expressing what any of `BATCH` cells does. Standard error of a rate: at most
    0.008.

    Args:
        method: with `per_batch` off. detection_G: float32, rate at which a cell expresses a gene.
    """
    total_G = torch.zeros_like(detection_G)
    for step in range(SIMULATED // BATCH):
        noise = Noise(derive("masking rate"), step, torch.arange(BATCH))
        x_NG = rated_mask(noise, detection_G, "expressed").float()
        batch = Batch(x_NG, x_NG, torch.ones(len(x_NG)), noise)
        total_G += method.mask(batch).float().mean(0)
    return total_G / (SIMULATED // BATCH)


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised; its rates depend on the programmes alone."""
    member_PG, coverage = covered(params, context)
    twin = GeneProgramme(replace(params, per_batch=False), context, member_PG)
    detection_G = torch.as_tensor(context.detection_G, dtype=torch.float32)
    if params.per_batch:
        detection_G = 1.0 - (1.0 - detection_G) ** BATCH
    method = RandomMaskMatched(params, context, masking_rate(twin, detection_G))
    method.report = f"rates matched to: {coverage}"
    return method
