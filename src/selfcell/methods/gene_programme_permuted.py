"""Control of `gene_programme`: the same masks without the biology.

The programmes are permuted so that every programme keeps its size and every gene its number of
programmes. What `gene_programme` gains over this is due to which genes go together.

Source: the study protocol; the permutation is `masks.permute`.
Differs from the paper: it has no such control.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfcell.keys import generator
from selfcell.masks.permute import permute_programmes
from selfcell.methods.base import Context, Method
from selfcell.methods.gene_programme import GeneProgramme, covered
from selfcell.methods.params import param


@dataclass(frozen=True)
class Params:
    """Hyper-parameters of the permuted-programme autoencoder."""

    permutation: int = param(0, "which permutation of the programmes", 0, 1000000)
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


def build(params: Params, context: Context) -> Method:
    """The method, freshly initialised. All seeds share permutation `permutation`."""
    member_PG, coverage = covered(params, context)
    permuted_PG = permute_programmes(member_PG, generator("permutation", params.permutation))
    method = GeneProgramme(params, context, permuted_PG)
    method.report = f"{coverage}; permutation {params.permutation}"
    return method
