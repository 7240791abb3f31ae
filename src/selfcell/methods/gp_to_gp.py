"""Autoencoder of one programme: only its genes are seen, only its genes are predicted.

Source: Richter et al. 2024, "gene programme to gene programme" (GP to GP), MSigDB C8.
Differs from the paper: nothing in intent. The released code's branch never masked, so what it
trained is a plain autoencoder (`isolate: false`). Output and average as in `random_mask`.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from torch import Tensor

from selfcell.masks.programmes import Programmes, select
from selfcell.methods.base import Batch, Context, Method
from selfcell.methods.masked import Masked
from selfcell.methods.params import param

log = logging.getLogger("selfcell")


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of the programme-to-programme autoencoder."""

    gene_sets: str = param("msigdb_c8", "gene sets: a name in the registry or under `gene_sets`")
    programmes: int = param(1, "programmes drawn for each cell", 1, 1000)
    isolate: bool = param(True, "show and score only the drawn programmes; false: everything")
    per_batch: bool = param(False, "the same programmes for all cells of a step")
    min_genes: int = param(5, "programmes with fewer measured genes are dropped", 1, 10000)
    min_share: float = param(0.1, "... or with less than this share of theirs", 0.0, 1.0)
    loss: str = param("mse", "loss: mse on log-expression, nb on counts", choices=("mse", "nb"))
    output: str = param(
        "linear", "last activation, mse only", choices=("linear", "softplus", "sigmoid")
    )
    average: str = param("masked", "entries the loss is averaged over", choices=("masked", "all"))
    rescale: bool = param(False, "divide visible inputs by the visible share of the genes")


class GPToGP(Masked):
    """One programme drawn for each cell and step."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.number, self.per_batch = params.programmes, params.per_batch
        self.isolate = params.isolate
        minima = params.min_genes, params.min_share
        _, member_PG, coverage = select(
            context.programmes, context.symbols, context.measured_G, *minima
        )
        self.report = str(coverage)
        log.info("gene sets: %s", coverage)
        self.programmes = Programmes(member_PG)

    def decoded(self) -> Tensor:
        """(G,) bool: the genes of all programmes."""
        return self.programmes.any() if self.isolate else self.measured_G

    def draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Visible and in the loss: the drawn programme's genes, and nothing else."""
        if not self.isolate:
            everything_BG = self.measured_G.expand_as(batch.x_BG)
            return everything_BG, everything_BG
        drawn_BK = self.programmes.some(batch.noise, self.number, self.per_batch)
        programme_BG = self.programmes.of(drawn_BK).expand_as(batch.x_BG)
        return programme_BG, programme_BG


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised."""
    return GPToGP(params, context)
