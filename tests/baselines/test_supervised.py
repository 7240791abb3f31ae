"""Supervised pre-training learns from the corpus's labels, and from those alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from selfcell.baselines import supervised
from selfcell.baselines.base import Supervision, run_baselines
from selfcell.baselines.random_encoder import embed
from selfcell.errors import DataError, DivergenceError
from selfcell.keys import generator
from selfcell.stats import table
from selfcell.tasks.model import new_encoder
from selfcell.tasks.readouts import Prototype
from tests.baselines.made import GENES, inputs, supervision


def accuracy(net: torch.nn.Module) -> float:
    """Of prototypes of the pool, on the test cells."""
    made = inputs()
    truth, readout = made.truth, Prototype()
    readout.fit(embed(net, made.pool_PG), truth.pool_P, len(truth.classes))
    return float((readout.predict(embed(net, made.test_NG))[0] == truth.test_N).mean())


def test_it_learns_what_the_labels_say() -> None:
    given = supervision()
    learned = accuracy(supervised.learn("some", given, GENES, 0))
    start = accuracy(new_encoder(GENES, given.network, 0).eval())
    mixed_N = generator("mixed").permutation(given.label_N)
    mixed = accuracy(supervised.learn("some", supervision(label_N=mixed_N), GENES, 0))
    assert learned > start + 0.1
    assert learned > mixed + 0.1


def test_a_run_repeats_and_a_seed_differs() -> None:
    nets = [supervised.learn("some", supervision(), GENES, seed) for seed in (0, 0, 1)]
    first, second, other = (torch.cat([p.flatten() for p in net.parameters()]) for net in nets)
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_an_arm_for_each_seed_and_labelled_corpus() -> None:
    found = [(arm.corpus, arm.init, arm.seed) for arm in supervised.arms(inputs())]
    assert found == [("some", "supervised", 0), ("some", "supervised", 1)]
    assert not list(supervised.arms(inputs(supervision={})))


def test_an_arm_that_diverges_is_a_result_beside_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learn = supervised.learn

    def one_diverges(corpus: str, given: Supervision, genes: int, seed: int) -> torch.nn.Module:
        if seed == 1:
            raise DivergenceError("supervised on some, seed 1: loss nan at step 3")
        return learn(corpus, given, genes, seed)

    monkeypatch.setattr(supervised, "learn", one_diverges)
    scores, predictions = run_baselines(["majority", "supervised"], inputs(), ["probe"])
    table.validate(scores)
    found = scores[scores.method == "supervised"].groupby("seed").status.agg(set).to_dict()
    assert found == {0: {"ok"}, 1: {"diverged"}}
    assert scores.value[scores.status == "diverged"].isna().all()
    assert set(scores.status[scores.method == "majority"]) == {"ok"}
    assert set(predictions.seed[predictions.method == "supervised"]) == {0}


def test_one_label_is_refused() -> None:
    given = supervision(label_N=np.full(len(supervision().rows), "T"))
    with pytest.raises(DataError, match="corpus some has 1 label; needed: two at least"):
        supervised.learn("some", given, GENES, 0)
