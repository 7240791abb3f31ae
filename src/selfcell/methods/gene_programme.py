"""Masked autoencoder with programme masks: hide whole gene programmes, predict them.

Source: Richter et al. 2024, "gene programme" (GP) pre-training, MSigDB C8.
Differs from the paper: each cell has its own mask, drawn until a share of genes is hidden; the
released code draws a share of the programmes once a batch (`of: programmes`, `per_batch`).
Output, average and rescaling as in `random_mask`.

Shape suffixes: B cells, G genes, P programmes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from selfcell.errors import ConfigError
from selfcell.masks.programmes import Coverage, Programmes, select
from selfcell.methods.base import Batch, Context, Method
from selfcell.methods.masked import Masked, MaskedParams
from selfcell.methods.params import param
from selfcell.nets.across import sum_across

log = logging.getLogger("selfcell")


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of the programme-mask autoencoder."""

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


class DrawParams(MaskedParams, Protocol):
    """The hyper-parameters that say how programmes are drawn."""

    @property
    def share(self) -> float:
        """Share to mask."""

    @property
    def of(self) -> str:
        """What the share counts."""

    @property
    def per_batch(self) -> bool:
        """One mask for all cells of a step."""

    @property
    def min_genes(self) -> int:
        """Least number of measured genes of a programme."""

    @property
    def min_share(self) -> float:
        """Least measured share of a programme."""


def covered(params: DrawParams, context: Context) -> tuple[np.ndarray, Coverage]:
    """Membership (P, G) of the programmes kept, and the report on them.

    Raises:
        ConfigError: all kept programmes together hold fewer genes than are to be masked.
    """
    _, member_PG, coverage = select(
        context.programmes, context.symbols, context.measured_G, params.min_genes, params.min_share
    )
    if params.of == "measured" and coverage.genes < params.share * coverage.measured:
        raise ConfigError(
            f"the programmes hold {coverage.genes} of {coverage.measured} measured genes",
            f"a share of at least {params.share}",
            "lower `share`, or use more gene sets",
        )
    log.info("gene sets: %s", coverage)
    return member_PG, coverage


class GeneProgramme(Masked):
    """Programmes drawn until their union reaches the share; see `Programmes.union`."""

    def __init__(self, params: DrawParams, context: Context, member_PG: np.ndarray) -> None:
        super().__init__(params, context)
        self.share, self.of, self.per_batch = params.share, params.of, params.per_batch
        self.programmes = Programmes(member_PG)

    def mask(self, batch: Batch) -> Tensor:
        """(B, G) bool, True where an entry is hidden."""
        if self.of == "programmes":
            number = max(1, int(self.share * self.programmes.count))
            drawn = self.programmes.some(batch.noise, number, self.per_batch)
            return self.programmes.of(drawn).expand_as(batch.x_BG)
        base_BG = self.measured_G[None]
        if self.of == "expressed":
            expressed_BG = batch.x_BG > 0
            if self.per_batch:  # what any cell of the step expresses, on whatever process
                expressed_BG = sum_across(expressed_BG.sum(0, keepdim=True)) > 0
            base_BG = expressed_BG
        mask_BG = self.programmes.union(batch.noise, self.share, base_BG, self.per_batch)
        return mask_BG.expand_as(batch.x_BG)

    def decoded(self) -> Tensor:
        """(G,) bool: the genes of all programmes."""
        return self.programmes.any()

    def draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Visible: what the mask leaves. In the loss: what it hides."""
        mask_BG = self.mask(batch)
        return ~mask_BG, mask_BG


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised."""
    member_PG, coverage = covered(params, context)
    method = GeneProgramme(params, context, member_PG)
    method.report = str(coverage)
    return method
