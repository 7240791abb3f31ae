"""The training loop, for pre-training and fine-tuning alike: read it top to bottom.

Everything random is keyed by (seed, step, cell) and every batch can be asked for by its step, so
the state of a run is its weights, the optimiser's moments and the step. A run killed at any
point and started again ends in the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from selfcell.errors import DivergenceError
from selfcell.methods.base import Batch
from selfcell.nets.across import average_gradients, max_across, mean_across
from selfcell.train.checkpoint import Progress, StateFile
from selfcell.train.memory import keep_memory
from selfcell.train.optim import clip, set_rates
from selfcell.train.signals import Warned


class Trainable(Protocol):
    """What the loop trains."""

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to minimise and what to log beside it."""

    def after_step(self) -> None:
        """Called after each optimiser step."""


class Batches(Protocol):
    """Where batches come from: any step's, in any order."""

    def batch(self, step: int) -> Batch:
        """The batch of a step, >= 0."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        steps: optimiser steps in all.
        clip: L2 norm that gradients are clipped to.
        decay_every: steps between multiplications of the learning rate by `decay`.
        bf16: run the network in bfloat16 autocast (weights and moments stay float32).
        log_every: steps between rows of the history, above 0; a fraction puts each row at the
            first step that is not before its time. The last step is always logged.
        save_every_s: seconds between saves of the state.
        minutes: of training, over all attempts, after which the run ends before its last step.
        patience: rows in which the least `validation_loss` so far may stand before the run ends;
            0: never.
    """

    steps: int
    clip: float = 1.0
    decay_every: int = 0
    decay: float = 1.0
    bf16: bool = False
    log_every: float = 20
    save_every_s: float = 60.0
    minutes: float = math.inf
    patience: int = 0


class Fitted(NamedTuple):
    """What a run was.

    Attributes:
        history: one row per logged step: step (1-based), loss (mean since the last row), lr, the
            method's own logs and the measures.
        ended: by what: "max_steps", "max_minutes" or "patience".
    """

    history: list[dict[str, float]]
    ended: str


Measure = Callable[[int], dict[str, float]]


def fit(
    model: nn.Module,
    batches: Batches,
    optimiser: torch.optim.Optimizer,
    plan: Plan,
    *,
    state: StateFile | None = None,
    measure: Measure | None = None,
    title: str = "training",
) -> Fitted:
    """Train `model` (a `Trainable` module) in place.

    Args:
        batches: gives the batch of a step.
        state: where to keep, and continue from, the run's state; None keeps nothing.
        measure: called after logged steps with the step; its values join the history row. Where
            one is `validation_loss`, the model ends with the weights of the least.

    Raises:
        DivergenceError: the loss or a gradient is not finite; the last saved state is kept.
        SystemExit: SIGTERM or SIGUSR1 came; the state is saved, status `signals.EXIT_RETRY`.
    """
    rates = [group["lr"] for group in optimiser.param_groups]
    at = state.load(model, optimiser) if state else Progress()
    saved = time.monotonic()
    begun = saved - at.seconds
    keep_memory()
    model.train()
    bar = tqdm(total=plan.steps, initial=at.step, desc=title, unit="step", mininterval=1.0)
    with Warned() as warned, bar:
        while not at.ended:
            factor = plan.decay ** (at.step // plan.decay_every) if plan.decay_every else 1.0
            lr, batch = set_rates(optimiser, rates, factor), batches.batch(at.step)
            value, logs = _step(model, batch, optimiser, plan)
            if not math.isfinite(value):
                where = f"{title}: loss {value} at step {at.step + 1}, learning rate {lr}"
                raise _diverged(where, batch)
            at.step, at.loss, at.losses = at.step + 1, at.loss + value, at.losses + 1
            at.seconds = time.monotonic() - begun
            at.ended = _over(at, plan)
            row_ends = int(at.step / plan.log_every) > int((at.step - 1) / plan.log_every)
            if not warned.signal:  # who reads the bar may have died of the same signal
                bar.update()
            if at.ended or row_ends:
                row = {"step": float(at.step), "loss": at.loss / at.losses, "lr": lr}
                at.history.append(row | logs | _measured(model, measure, at.step))
                at.loss, at.losses = 0.0, 0
                at.watch(model, plan.patience)
                bar.set_postfix(loss=f"{row['loss']:.4f}", refresh=False)
            warned.agree()
            if state and (warned.signal or time.monotonic() - saved > plan.save_every_s):
                state.save(at, model, optimiser)
                saved = time.monotonic()
            if not at.ended:
                warned.leave(f"{title}: step {at.step}")
    if at.best:
        model.load_state_dict(at.best)
    model.eval()
    return Fitted(at.history, at.ended)


def _diverged(where: str, batch: Batch) -> DivergenceError:
    cells = ", ".join(map(str, batch.noise.cell_B[:3].tolist()))
    return DivergenceError(
        f"{where}, in the batch of {len(batch.x_BG)} cells with the keys {cells}, ...",
        "a finite loss with finite gradients",
        "lower the learning rate",
    )


def _over(at: Progress, plan: Plan) -> str:
    """What ends the run after this step, the same in every process; "" if nothing does."""
    if at.step >= plan.steps:
        return "max_steps"
    if plan.minutes < math.inf and max_across(int(at.seconds >= 60.0 * plan.minutes)):
        return "max_minutes"
    return ""


def _step(
    model: nn.Module, batch: Batch, optimiser: torch.optim.Optimizer, plan: Plan
) -> tuple[float, dict[str, float]]:
    """One optimiser step; the loss, NaN for bad gradients, and the method's own logs. What is bad
    changes no weight.

    With several processes each has its part of the batch; the loss and the step are the whole's.
    """
    with torch.autocast(batch.x_BG.device.type, torch.bfloat16, enabled=plan.bf16):
        loss, logs = model.loss(batch)  # type: ignore[operator]
    value = float(mean_across(loss.detach()))
    if math.isfinite(value):
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(model.parameters())
        if not math.isfinite(clip(model, plan.clip)):
            return math.nan, {}
        optimiser.step()
        model.after_step()  # type: ignore[operator]
    return value, {name: float(log) for name, log in logs.items()}


def _measured(model: nn.Module, measure: Measure | None, done: int) -> dict[str, float]:
    """What `measure` says, asked in evaluation mode."""
    if measure is None:
        return {}
    model.eval()
    values = measure(done)
    model.train()
    return values
