"""Fine-tuning: an encoder and a linear head, trained together on labelled cells.

Shape suffixes: B cells, G genes, C classes, N cells.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfcell.errors import DivergenceError
from selfcell.keys import derive, generator
from selfcell.methods.base import Batch
from selfcell.nets.mlp import MLP
from selfcell.rng import torch_generator
from selfcell.tasks.model import CHUNK
from selfcell.train.checkpoint import VALIDATION_LOSS
from selfcell.train.loop import Batches, Plan, fit

VALIDATION = 0.1  # share of labelled cells held out where there are labels for it (regime "all")
CPU = torch.device("cpu")
CHECKS = 10  # validations in a run; the best one's weights are kept


class Classifier(nn.Module):
    """Encoder and linear head, trained by class-weighted cross-entropy.

    Source: Richter et al. 2024, cell-type classification.
    Differs from the paper: the pre-training's activation is kept (the released code swaps SELU
    for ReLU), and predictions come from the head (it used nearest neighbours).
    """

    weight_C: Tensor

    def __init__(self, encoder: MLP, weight_C: Tensor, rng: torch.Generator) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = MLP([encoder.width, len(weight_C)], rng, last=None, name="head")
        self.register_buffer("weight_C", weight_C, persistent=False)

    def forward(self, x_BG: Tensor, batch: Batch | None = None) -> Tensor:
        """(B, G) to (B, C) logits; dropout only with a batch's noise."""
        noise = batch.noise if batch else None
        logits_BC: Tensor = self.head(self.encoder(x_BG, noise))
        return logits_BC

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted cross-entropy of the batch. Raises ValueError on a batch without labels."""
        if batch.label_B is None:
            raise ValueError("fine-tuning needs batches with labels")
        logits_BC = self(batch.x_BG, batch).float()
        return F.cross_entropy(logits_BC, batch.label_B, weight=self.weight_C), {}

    def after_step(self) -> None:
        """Nothing moves but the weights."""

    @torch.no_grad()
    def probabilities(self, x_NG: Tensor) -> Tensor:
        """(N, C) float32 class probabilities, in chunks, without dropout."""
        device = self.weight_C.device
        parts = [self(part.to(device)).float().softmax(1) for part in x_NG.split(CHUNK)]
        return torch.cat(parts).cpu()


@dataclass(frozen=True)
class Labelled:
    """Labelled cells of one draw.

    Attributes:
        x_NG: float32 log1p expression of the whole pool.
        y_N: int64 class codes of the pool.
        rows: positions of the draw's cells in the pool.
        names: identifies the draw: target, regime, draw. Head, order and dropout derive from it
            alone, so that all arms of a draw share them.
    """

    x_NG: Tensor
    y_N: np.ndarray
    rows: np.ndarray
    names: tuple[str, ...]


def hold_out(data: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation rows: a tenth of each type, at least one cell where it has ten."""
    rng = generator("validation", *data.names)
    held: list[int] = []
    for code in np.unique(data.y_N[data.rows]):
        rows = data.rows[data.y_N[data.rows] == code]
        held.extend(rng.permutation(rows)[: int(len(rows) * VALIDATION)])
    validation = np.sort(np.array(held, dtype=np.int64))
    return np.setdiff1d(data.rows, validation), validation


def class_weights(y_N: np.ndarray, n_classes: int) -> Tensor:
    """Balanced weights n / (classes present * n_c), float32; 0 for absent classes."""
    count_C = np.bincount(y_N, minlength=n_classes)
    present = np.maximum((count_C > 0).sum(), 1)
    weight_C = np.where(count_C > 0, len(y_N) / (present * np.maximum(count_C, 1)), 0.0)
    return torch.as_tensor(weight_C, dtype=torch.float32)


def fine_tune(
    encoder: MLP,
    data: Labelled,
    n_classes: int,
    plan: Plan,
    batches: Callable[[np.ndarray, int], Batches],
    *,
    lr: float,
    weight_decay: float,
    early_stopping: bool,
    device: torch.device = CPU,
) -> Classifier | None:
    """Train a copy of `encoder` with a fresh head on a draw; None if the loss diverged.

    Args:
        batches: from rows of the pool and a seed to the loader of their labelled batches.
        lr, weight_decay: of AdamW.
        early_stopping: hold out a tenth of the draw and keep the weights of the best validation
            loss; without it the last weights are kept (few labels allow no validation).
        device: to train on, where `batches` are; the model comes back on the processor.
    """
    train_rows, validation = hold_out(data) if early_stopping else (data.rows, data.rows[:0])
    weight_C = class_weights(data.y_N[train_rows], n_classes)
    head = torch_generator("head", *data.names)
    model = Classifier(copy.deepcopy(encoder), weight_C, head).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay, fused=True)

    def validate(step: int) -> dict[str, float]:
        target_N = torch.as_tensor(data.y_N[validation])
        p_NC = model.probabilities(data.x_NG[validation])
        loss = float(F.nll_loss(p_NC.clamp_min(1e-12).log(), target_N, weight=weight_C))
        return {VALIDATION_LOSS: loss}

    seed = derive("finetune", *data.names)
    try:
        fit(
            model,
            batches(train_rows, seed),
            optimiser,
            plan,
            measure=validate if len(validation) else None,
            title="fine-tuning " + " ".join(data.names),
        )
    except DivergenceError:
        return None
    return model.cpu().eval()
