"""Two views of each cell, the study's augmentations one after another.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from selfcell.nets.types import as_number, at_once, computing_dtype
from selfcell.rng import Noise
from selfcell.views.dropout import input_dropout
from selfcell.views.noise import gaussian_noise, negative_binomial_noise


@dataclass(frozen=True)
class Augment:
    """Negative-binomial noise, Gaussian noise, dropout; each with probability p for each cell.

    Source: Richter et al. 2024, contrastive pre-training.
    Differs from the paper: p decides for each cell; `per_batch` decides once for all cells of a
    step, as the released code does. Genes not measured stay 0.

    Attributes:
        p: probability of each augmentation, in [0, 1].
        nb, gaussian, dropout: their strengths; 0 switches one off.
        per_batch: one decision for all cells of a step.
    """

    p: float
    nb: float
    gaussian: float
    dropout: float
    per_batch: bool = False

    def __call__(self, x_BG: Tensor, noise: Noise, measured_G: Tensor) -> Tensor:
        """(B, G) one view, in the type that a linear layer of it computes in.

        `noise` decides: a second view needs `second(noise)`. Made by blocks of cells that fit a
        cache, which changes nothing, since each cell has its own random numbers.
        """
        out_BG = torch.empty_like(x_BG, dtype=computing_dtype(x_BG))
        measured_G = as_number(measured_G, x_BG.dtype)
        for start in range(0, len(x_BG), size := at_once(x_BG)):
            rows = slice(start, start + size)
            out_BG[rows] = self._view(x_BG[rows], noise.rows(rows), measured_G)
        return out_BG

    def _view(self, x_BG: Tensor, noise: Noise, measured_G: Tensor) -> Tensor:
        for name, strength in self._steps():
            row_B = self._chosen(noise, f"choose/{name}")
            if len(row_B) == len(x_BG):
                x_BG = _apply(name, x_BG, noise, strength).mul_(measured_G)
            elif len(row_B):
                view_BG = _apply(name, x_BG[row_B], noise.rows(row_B), strength)
                x_BG = x_BG.index_copy(0, row_B, view_BG.mul_(measured_G))
        return x_BG

    def _steps(self) -> list[tuple[str, float]]:
        steps = [("nb", self.nb), ("gaussian", self.gaussian), ("dropout", self.dropout)]
        return [(name, strength) for name, strength in steps if strength > 0]

    def _chosen(self, noise: Noise, stream: str) -> Tensor:
        """Indices of the cells that get this augmentation."""
        if self.per_batch:
            noise = Noise(noise.seed, noise.step, _sign(noise.cell_B))
        return noise.bernoulli(self.p, 1, stream)[:, 0].nonzero()[:, 0]


def _apply(name: str, x_BG: Tensor, noise: Noise, strength: float) -> Tensor:
    if name == "nb":
        return negative_binomial_noise(x_BG, noise, strength)
    if name == "gaussian":
        return gaussian_noise(x_BG, noise, strength)
    return input_dropout(x_BG, noise, strength)


def _sign(cell_B: Tensor) -> Tensor:
    """0 for cells of the first view, -1 for the second: all that a batch-wide choice may see."""
    return torch.where(cell_B < 0, -1, 0)


def second(noise: Noise) -> Noise:
    """Random numbers of the second view: the same cells under names no other cell has."""
    return Noise(noise.seed, noise.step, ~noise.cell_B)


def both(noise: Noise) -> Noise:
    """Random numbers of the first views followed by those of the second."""
    return Noise(noise.seed, noise.step, torch.cat([noise.cell_B, ~noise.cell_B]))
