"""The decoder of a masked autoencoder: from codes to expression in the units that are scored.

Shape suffixes: B cells, G genes, D latent dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from selfcell.losses.nb import expected_log1p, in_counts
from selfcell.nets.mlp import MLP


@dataclass(frozen=True)
class Decoder:
    """A trained decoder.

    Attributes:
        net: in evaluation mode.
        log_dispersion_G: of a negative binomial, whose mean count per 10,000 the net gives the log
            of; None: the net gives log1p expression.
        decoded_G: bool, genes that it learned to predict; the others' output means nothing.
    """

    net: MLP
    log_dispersion_G: Tensor | None
    decoded_G: np.ndarray

    @property
    def readout(self) -> str:
        """Its name in the score table."""
        return "decoder" if self.log_dispersion_G is None else "decoder_nb"

    @torch.no_grad()
    def __call__(self, z_BD: Tensor, total_B: Tensor) -> Tensor:
        """(B, D) codes to (B, G) log1p of expression per 10,000 counts, without dropout.

        Of a negative binomial it is the mean of log1p of what that draws in cells of `total_B`
        counts: log1p of the mean lies far above it, fourfold for a gene of one molecule in 10,000
        counts in a cell of 1,000.
        """
        y_BG: Tensor = self.net(z_BD)
        if self.log_dispersion_G is None:
            return y_BG
        mean_BG, dispersion_G = in_counts(y_BG, total_B, self.log_dispersion_G)
        return expected_log1p(mean_BG, dispersion_G, 1e4 / total_B[:, None])
