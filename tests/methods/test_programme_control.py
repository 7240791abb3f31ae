"""Where programmes matter by construction, programme masks beat both of their controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from selfcell.data.synth import Synthetic, synthesise
from selfcell.keys import generator
from selfcell.methods.base import Batch, Method
from selfcell.rng import Noise
from selfcell.train.optim import optimiser
from tests.methods.factory import context, make

ARMS = ("gene_programme", "gene_programme_permuted", "random_mask_matched")


def fitted(name: str, cells: Synthetic) -> Method:
    """The method after 400 steps of 128 cells, with a code of 8 dimensions."""
    method = make(name, context(cells, hidden=(64, 8), unmeasured=()))
    x_NG = torch.from_numpy(cells.log_expression())
    descent, rng = optimiser(method, 3e-3, 0.01), generator("control")
    for step in range(400):
        row_B = torch.from_numpy(rng.integers(0, len(x_NG), 128))
        x_BG, noise = x_NG[row_B], Noise(0, step, row_B)
        loss, _ = method.loss(Batch(x_BG, x_BG, torch.ones(128), noise))
        descent.zero_grad()
        loss.backward()
        descent.step()
    return method.eval()


def accuracy(method: Method, cells: Synthetic, labels: int = 10) -> float:
    """Share of cells nearest to their own type's mean of ten labelled codes."""
    z_ND = method.embed(torch.from_numpy(cells.log_expression())).numpy()
    z_ND = (z_ND - z_ND.mean(0)) / z_ND.std(0)
    shares = []
    for draw in range(5):
        order = generator("draw", draw).permutation(len(z_ND))
        few = [order[cells.label_N[order] == t][:labels] for t in range(6)]
        mean_TD = np.stack([z_ND[index].mean(0) for index in few])
        rest = np.setdiff1d(order, np.concatenate(few))
        nearest = ((z_ND[rest, None] - mean_TD) ** 2).sum(2).argmin(1)
        shares.append(float((nearest == cells.label_N[rest]).mean()))
    return float(np.mean(shares))


@pytest.mark.slow
def test_programme_masks_beat_their_controls_where_programmes_matter() -> None:
    score: dict[str, list[float]] = {name: [] for name in ARMS}
    for seed in range(3):
        cells = synthesise(seed=seed)
        for name in ARMS:
            score[name].append(accuracy(fitted(name, cells), cells))
    for control in ARMS[1:]:
        gain = np.subtract(score["gene_programme"], score[control])
        assert gain.mean() > 0.08, score
        assert (gain > 0).all(), score
