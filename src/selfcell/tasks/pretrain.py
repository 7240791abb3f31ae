"""Pre-training: a pretext task, a corpus, the loop, and whether it learned.

Shape suffixes: G genes.
"""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from selfcell.data.corpus import Corpus
from selfcell.data.device import on_device, to_device
from selfcell.data.loader import Loader
from selfcell.errors import DivergenceError
from selfcell.keys import derive
from selfcell.methods import METHODS, parameters
from selfcell.methods.base import Batch, Context, Health, Method
from selfcell.nets.across import alone, mean_across, processes
from selfcell.specs import PretrainSpec, Training
from selfcell.train.checkpoint import VALIDATION_LOSS, StateFile
from selfcell.train.distributed import rank, together
from selfcell.train.loop import Plan, fit
from selfcell.train.optim import optimiser
from selfcell.train.precision import choose_device, device_name, use_bf16

log = logging.getLogger("selfcell")

GATED = 512  # validation cells that the learning gate is measured on, at most
WATCHED = 128  # those that looks during a run see: looking takes less than 3 % of the time
FEWEST, MOST = 8, 100  # looks of a run
APART = 20  # steps between looks, at least, where a run is long enough


@dataclass(frozen=True)
class Pretrained:
    """What a run leaves.

    Attributes:
        method: trained, in evaluation mode.
        history: rows of the training curve (`train.loop.fit`), each with a look's measures.
        health: at the end, on all cells of the gate; None if the loss diverged.
        failure: why the loss diverged, or "".
        ended: what ended the run: "max_steps", "max_epochs", "max_minutes", "patience", or
            "diverged".
        device: what it was trained on, cpu or the GPU's name.
    """

    method: Method
    history: list[dict[str, float]]
    health: Health | None
    failure: str
    ended: str
    device: str

    def notes(self) -> dict[str, object]:
        """What model.json says of how the run went."""
        steps = int(self.history[-1]["step"]) if self.history else 0
        return {
            "failure": self.failure, "ended": self.ended, "steps": steps, "device": self.device,
            "gene_sets": self.method.report,
        }  # fmt: skip


def build(spec: PretrainSpec, corpus: Corpus, programmes: Mapping[str, Sequence[str]]) -> Method:
    """A freshly initialised method for a corpus. Raises ConfigError on its parameters."""
    mean_G, detection_G = corpus.statistics()
    context = Context(
        gene_ids=corpus.gene_ids,
        symbols=corpus.symbols,
        measured_G=corpus.measured_G,
        mean_G=mean_G,
        detection_G=detection_G,
        programmes=programmes,
        hidden=spec.network.hidden,
        activation=spec.network.activation,
        dropout=spec.network.dropout,
        seed=spec.seed,
    )
    params = parameters(spec.task, spec.params, spec.method)
    # Read back through the module itself: its class and not the checker's copy of it.
    module = importlib.import_module(METHODS[spec.task])
    method: Method = module.build(module.Params(**vars(params)), context)
    if method.report:
        log.info("%s: %s", spec.method, method.report)
    return method


def pretrain(
    spec: PretrainSpec,
    corpus: Corpus,
    programmes: Mapping[str, Sequence[str]],
    state: StateFile | None = None,
    start: Mapping[str, Tensor] | None = None,
) -> Pretrained:
    """Train one method on one corpus; a diverging loss is a result, not an error.

    Several processes (`train.distributed.enter`) train one method together, each on its part of
    every batch, and return the same.

    Args:
        programmes: gene sets (symbols) that the method's parameters name; empty for most.
        state: where an interrupted run goes on from.
        start: weights of the same method to start from; None: fresh ones.
    """
    training, device = spec.training, choose_device(spec.training.device)
    method = build(spec, corpus, programmes)
    if start is not None:
        method.load_state_dict(dict(start))
    method.to(device)
    seed = derive("pretrain", spec.seed)
    loader = Loader(
        corpus.cells, corpus.train_N, training.batch, seed, rank=rank(), ranks=processes()
    )
    gated, watched = (_held_back(corpus, n, device) for n in (GATED, WATCHED))
    plan = plan_of(training, len(corpus.train_N) / training.batch, device)
    adapted = optimiser(method, training.lr, training.weight_decay)
    title = f"{spec.method} on {spec.corpus.name}, seed {spec.seed}"

    def measure(step: int) -> dict[str, float]:
        row = _look(method.health(watched))
        return row | ({VALIDATION_LOSS: _loss(method, watched)} if plan.patience else {})

    try:
        with together():
            batches = on_device(loader, device)
            fitted = fit(method, batches, adapted, plan, state=state, measure=measure, title=title)
    except DivergenceError as error:
        log.warning("%s", error)
        return Pretrained(
            method.cpu().eval(), [], None, str(error), "diverged", device_name(device)
        )
    ended = fitted.ended
    if ended == "max_steps" and plan.steps < training.steps:
        ended = "max_epochs"
    if ended != "max_steps":
        log.info("%s: ended by %s at step %d", title, ended, fitted.history[-1]["step"])
    health = method.health(gated)
    log.info("%s: %s, %s %.3f", title, health.status, health.kind, health.value)
    return Pretrained(method.cpu(), fitted.history, health, "", ended, device_name(device))


def plan_of(training: Training, epoch: float, device: torch.device) -> Plan:
    """How long and how fast to train; an `epoch` is so many steps."""
    steps = training.steps
    if training.max_epochs is not None:
        steps = min(steps, math.ceil(training.max_epochs * epoch))
    return Plan(
        steps,
        clip=training.clip,
        decay_every=training.decay_every * max(1, round(epoch)),
        decay=training.decay,
        bf16=use_bf16(training.precision, device),
        log_every=steps_between_looks(steps, epoch),
        minutes=math.inf if training.max_minutes is None else training.max_minutes,
        patience=training.patience or 0,
    )


@torch.no_grad()
def _loss(method: Method, watched: Batch) -> float:
    """The method's loss on the validation cells, with the same noise at every look; every process
    has all of these cells, and all are to decide alike."""
    with alone():
        loss, _ = method.loss(watched)
    return float(mean_across(loss))


def steps_between_looks(steps: int, epoch: float) -> float:
    """When a run of `steps` is looked at: at the end of each epoch, an `epoch` being so many steps.

    Or of every k-th epoch, with the least k for which looks are `APART` steps apart and at most
    `MOST` in number (a million epochs: 100 looks). A run shall have `FEWEST` looks: k is less
    where it has too few epochs for them, and each epoch is cut into equal parts where one look
    an epoch is too few. The end of a run is always looked at.
    """
    epochs = steps / epoch
    apart, most = math.ceil(APART / epoch), math.ceil(epochs / MOST)
    every = epoch * max(1, min(apart, int(epochs / FEWEST)), most)
    return every / max(1, math.ceil(FEWEST * every / steps))


def _held_back(corpus: Corpus, most: int, device: torch.device) -> Batch:
    """The same validation cells with the same noise at every look, in every run; spread evenly
    over all of them, since those of one source stand together."""
    n = len(corpus.validation_N)
    rows = corpus.validation_N[np.linspace(0, n - 1, min(n, most)).round().astype(int)]
    return to_device(Loader(corpus.cells, rows, len(rows), derive("validation")).batch(0), device)


def _look(health: Health) -> dict[str, float]:
    row = {health.kind: health.value, "rank": health.effective_rank, "spread": health.spread}
    extra = {
        # Retrieval over chance is another number on fewer cells, so its gate is no bar for looks.
        "gate": health.threshold if health.kind == "skill" else None,
        "difficulty": health.difficulty,
        "alignment": health.alignment,
        "uniformity": health.uniformity,
    }
    return row | {name: value for name, value in extra.items() if value is not None}
