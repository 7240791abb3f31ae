"""Encoder and protein head trained together, from pre-trained or from random weights.

Shape suffixes: B cells of a batch, G genes, D dimensions, K training batches, P pool cells,
Q proteins, M training cells of a draw.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfcell.data.device import on_device
from selfcell.data.loader import Loader
from selfcell.errors import DivergenceError
from selfcell.keys import derive, generator
from selfcell.methods.base import Batch
from selfcell.nets.mlp import MLP
from selfcell.rng import torch_generator
from selfcell.specs import ProteinSpec
from selfcell.tasks.finetune import CHECKS
from selfcell.tasks.model import CHUNK
from selfcell.tasks.protein import DROPPED, Data, Rows
from selfcell.train.checkpoint import VALIDATION_LOSS
from selfcell.train.loop import Plan, fit
from selfcell.train.precision import choose_device, use_bf16

VALIDATION = 0.2  # share of the training cells that choose learning rate and step


class Regressor(nn.Module):
    """Encoder, and a linear head on its code and the batch; trained by squared error.

    Proteins are standardised by the training cells, so that each weighs the same.

    Source: Richter et al. 2024, cross-modality prediction. Differs from the paper: see
    `selfcell.tasks.protein`.

    Args:
        y_PQ: proteins of the pool. batch_PK: batches of the pool. rows: training cells in it.
    """

    y_PQ: Tensor
    batch_PK: Tensor
    mean_Q: Tensor
    scale_Q: Tensor

    def __init__(
        self,
        encoder: MLP,
        y_PQ: np.ndarray,
        batch_PK: np.ndarray,
        rows: np.ndarray,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        widths = [encoder.width + batch_PK.shape[1], y_PQ.shape[1]]
        self.head = MLP(widths, rng, last=None, name="head")
        fixed = {
            "y_PQ": y_PQ,
            "batch_PK": batch_PK,
            "mean_Q": y_PQ[rows].mean(0),
            "scale_Q": np.maximum(y_PQ[rows].std(0), 1e-3),
        }
        for name, value in fixed.items():
            self.register_buffer(name, torch.from_numpy(value), persistent=False)

    def forward(self, x_BG: Tensor, batch_BK: Tensor, batch: Batch | None = None) -> Tensor:
        """(B, Q) standardised proteins; dropout only with a batch's noise."""
        z_BD = self.encoder(x_BG, batch.noise if batch else None)
        y_BQ: Tensor = self.head(torch.cat([z_BD, batch_BK.to(z_BD.dtype)], 1))
        return y_BQ

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error; a batch's labels are positions in the pool."""
        assert batch.label_B is not None
        keep_B1 = batch.noise.bernoulli(1.0 - DROPPED, 1, "protein batch")
        y_BQ = self(batch.x_BG, self.batch_PK[batch.label_B] * keep_B1, batch).float()
        truth_BQ = (self.y_PQ[batch.label_B] - self.mean_Q) / self.scale_Q
        return F.mse_loss(y_BQ, truth_BQ), {}

    def after_step(self) -> None:
        """Nothing moves but the weights."""

    @torch.no_grad()
    def predict(self, x_NG: Tensor, batch_NK: np.ndarray) -> np.ndarray:
        """(N, Q) proteins, in chunks, without dropout."""
        pairs = zip(x_NG.split(CHUNK), torch.from_numpy(batch_NK).split(CHUNK), strict=True)
        there = self.mean_Q.device
        y_NQ = torch.cat([self(x.to(there), batch.to(there)).float() for x, batch in pairs])
        return np.asarray((y_NQ * self.scale_Q + self.mean_Q).cpu().numpy())


def fine_tuned(
    spec: ProteinSpec, encoder: MLP, status: str, init: str, data: Data, run_hash: str
) -> Rows:
    """Rows of an arm, trained anew from `encoder` at each of its regimes and draws.

    Args:
        status: of the pre-trained model, carried into the rows ("ok" for scratch).
        init: "pretrained" or "random".
    """
    keys = spec.keys(init, "fine-tuned", run_hash)
    rows, regimes = Rows(keys, data), [str(n) for n in spec.tuning.n_train]
    for regime, draw, chosen in data.draws():
        if regime in regimes and draw < spec.tuning.draws:
            model = train(spec, encoder, data, chosen, (regime, draw))
            predicted_NQ = None if model is None else model.predict(data.x_NG, data.batch_NK)
            ended = "diverged" if model is None else status
            rows.add(predicted_NQ, regime, draw, "head", len(chosen), ended)
    return rows


def train(
    spec: ProteinSpec, encoder: MLP, data: Data, chosen: np.ndarray, key: tuple[str, int]
) -> Regressor | None:
    """The best of the learning rates and looks, by squared error of a fifth of the training cells;
    None if every learning rate diverged. Every arm chooses so, on the same cells."""
    names = ("protein", data.split["target"], *key)
    order = generator("validation", *names).permutation(chosen)
    held, rows = np.split(order, [int(VALIDATION * len(chosen))])
    rows = np.sort(rows)
    least, best = math.inf, None
    for lr in spec.tuning.lr:
        head = torch_generator("head", *names)
        model = Regressor(copy.deepcopy(encoder), data.y_PQ, data.batch_PK, rows, head)
        model.to(choose_device(spec.device))
        adamw = torch.optim.AdamW(
            model.parameters(), lr=lr, weight_decay=spec.tuning.weight_decay, fused=True
        )
        try:
            loss = _fit(spec, model, adamw, data, rows, held, names)
        except DivergenceError:
            continue
        if loss < least:
            least, best = loss, model.cpu()
    return best


def _fit(
    spec: ProteinSpec,
    model: Regressor,
    adamw: torch.optim.Optimizer,
    data: Data,
    rows: np.ndarray,
    held: np.ndarray,
    names: tuple[object, ...],
) -> float:
    """Train one model; the validation loss of its best look, whose weights it ends with."""
    scale_Q, device = model.scale_Q.cpu().numpy(), model.scale_Q.device

    def look(step: int) -> dict[str, float]:
        error_NQ = model.predict(data.x_PG[held], data.batch_PK[held]) - data.y_PQ[held]
        return {VALIDATION_LOSS: float(np.square(error_NQ / scale_Q).mean())}

    tuning = spec.tuning
    plan = Plan(
        tuning.steps,
        clip=spec.clip,
        bf16=use_bf16(spec.precision, device),
        log_every=max(1, tuning.steps // CHECKS),
    )
    seed = derive("protein", *names)
    loader = on_device(Loader(data.pool, rows, tuning.batch, seed, label_N=rows), device)
    history, _ = fit(model, loader, adamw, plan, measure=look, title=" ".join(map(str, names)))
    return min(row[VALIDATION_LOSS] for row in history)
