"""Supervised pre-training: the study's encoder, taught the labels of another data set's corpus.

It is what somebody with a labelled reference would do instead of self-supervision: the same
network, cells, steps, optimiser and seeds, with the corpus's own labels as the pretext.

Source: the supervised arm of Richter et al. 2024, moved to the corpus. Differs from the paper: the
head is thrown away, and the code is read out on the target like every frozen embedding.

Shape suffixes: N cells, C classes, D dimensions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from selfcell.baselines.base import BaselineInputs, Embedded, Supervision
from selfcell.baselines.random_encoder import embed
from selfcell.data.device import on_device
from selfcell.data.loader import Loader
from selfcell.errors import DataError, DivergenceError
from selfcell.keys import derive
from selfcell.nets.mlp import MLP
from selfcell.rng import torch_generator
from selfcell.tasks.finetune import Classifier, class_weights
from selfcell.tasks.model import new_encoder
from selfcell.tasks.pretrain import plan_of
from selfcell.train.loop import fit
from selfcell.train.optim import optimiser
from selfcell.train.precision import choose_device

log = logging.getLogger("selfcell")


def learn(corpus: str, given: Supervision, n_genes: int, seed: int) -> MLP:
    """The encoder of one corpus and seed, in evaluation mode.

    Raises:
        DataError: the corpus's cells have fewer than two labels.
        DivergenceError: the loss became NaN or infinite.
    """
    classes, code_N = np.unique(given.label_N, return_inverse=True)
    if len(classes) < 2:
        raise DataError(
            f"baseline supervised: corpus {corpus} has {len(classes)} label",
            "two at least",
            "leave the baseline out, or choose another corpus",
        )
    training, device = given.training, choose_device(given.training.device)
    model = Classifier(
        new_encoder(n_genes, given.network, seed),
        class_weights(code_N, len(classes)),
        torch_generator(seed, "supervised head", corpus),
    ).to(device)
    plan = replace(
        plan_of(training, len(given.rows) / training.batch, device),
        log_every=training.steps,
        patience=0,  # it has no validation cells
    )
    loader = Loader(
        given.cells, given.rows, training.batch, derive("pretrain", seed), label_N=code_N
    )
    title = f"supervised on {corpus}, seed {seed}"
    descent = optimiser(model, training.lr, training.weight_decay)
    fit(model, on_device(loader, device), descent, plan, title=title)
    return model.encoder.cpu().eval()


def arms(inputs: BaselineInputs) -> Iterator[Embedded]:
    """One arm for each seed and each corpus whose labels are not the target's own; one that
    diverges is a result, a code of no numbers."""
    for corpus, given in inputs.supervision.items():
        for seed in inputs.seeds:
            try:
                net = learn(corpus, given, len(inputs.gene_ids), seed)
            except DivergenceError as error:
                log.warning("%s", error)
                cells = len(inputs.truth.pool_P), len(inputs.truth.test_N)
                pool_PD, test_ND = (np.full((n, inputs.width), np.nan, np.float32) for n in cells)
            else:
                pool_PD, test_ND = embed(net, inputs.pool_PG), embed(net, inputs.test_NG)
            yield Embedded("supervised", corpus, "supervised", seed, pool_PD, test_ND)
