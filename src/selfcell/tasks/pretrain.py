"""Pre-training: a pretext task, a corpus, the loop, and whether it learned.

Shape suffixes: G genes.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selfcell.data.corpus import Corpus
from selfcell.data.loader import Loader
from selfcell.errors import DivergenceError
from selfcell.keys import derive
from selfcell.methods import METHODS, parameters
from selfcell.methods.base import Batch, Context, Health, Method
from selfcell.specs import PretrainSpec
from selfcell.train.checkpoint import StateFile
from selfcell.train.loop import Plan, fit
from selfcell.train.optim import optimiser
from selfcell.train.precision import use_bf16

log = logging.getLogger("selfcell")

WATCHED = 512  # validation cells that the learning gate looks at, at most
LOOKS = 8  # looks during a run


@dataclass(frozen=True)
class Pretrained:
    """What a run leaves.

    Attributes:
        method: trained, in evaluation mode.
        history: rows of the training curve (`train.loop.fit`), with the gate's measures.
        health: of the last look; None if the loss diverged.
        failure: why the loss diverged, or "".
    """

    method: Method
    history: list[dict[str, float]]
    health: Health | None
    failure: str


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
) -> Pretrained:
    """Train one method on one corpus; a diverging loss is a result, not an error.

    Args:
        programmes: gene sets (symbols) that the method's parameters name; empty for most.
        state: where an interrupted run goes on from.
    """
    training = spec.training
    method = build(spec, corpus, programmes)
    seed = derive("pretrain", spec.seed)
    batches = Loader(corpus.cells, corpus.train_N, training.batch, seed)
    watched = _watched(corpus)
    epoch = max(1, round(len(corpus.train_N) / training.batch))
    plan = Plan(
        training.steps,
        clip=training.clip,
        decay_every=training.decay_every * epoch,
        decay=training.decay,
        bf16=use_bf16(training.precision),
        log_every=max(1, training.steps // LOOKS),
    )
    adapted = optimiser(method, training.lr, training.weight_decay)
    title = f"{spec.method} on {spec.corpus.name}, seed {spec.seed}"
    try:
        history = fit(
            method,
            batches,
            adapted,
            plan,
            state=state,
            measure=lambda step: _look(method.health(watched)),
            title=title,
        )
    except DivergenceError as error:
        log.warning("%s", error)
        return Pretrained(method.eval(), [], None, str(error))
    health = method.health(watched)
    log.info("%s: %s, %s %.3f", title, health.status, health.kind, health.value)
    return Pretrained(method, history, health, "")


def _watched(corpus: Corpus) -> Batch:
    """The same validation cells with the same noise at every look, in every run."""
    rows: np.ndarray = corpus.validation_N[:WATCHED]
    return Loader(corpus.cells, rows, len(rows), derive("validation")).batch(0)


def _look(health: Health) -> dict[str, float]:
    row = {health.kind: health.value, "rank": health.effective_rank, "spread": health.spread}
    extra = {
        "difficulty": health.difficulty,
        "alignment": health.alignment,
        "uniformity": health.uniformity,
    }
    return row | {name: value for name, value in extra.items() if value is not None}
