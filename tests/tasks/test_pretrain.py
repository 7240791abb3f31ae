"""Pre-training on a small store: what is logged and when, interruption, divergence."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from selfcell.data.cells import MemoryCells
from selfcell.methods import masked
from selfcell.specs import Training
from selfcell.tasks import pretrain as pretraining
from selfcell.tasks.pretrain import pretrain, steps_between_looks
from selfcell.train.checkpoint import StateFile
from tests.tasks.small import pretrain_spec


def test_pretraining_learns_and_says_so(study):
    *_, result = study
    assert result.failure == ""
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert {"skill", "gate", "rank", "spread", "difficulty", "step", "lr"} <= set(result.history[0])
    assert result.health.status in ("ok", "not_learned")


def test_looks_come_at_the_end_of_each_epoch_and_of_the_run(study):
    *_, corpus, result = study
    every = steps_between_looks(60, len(corpus.train_N) / 16)
    epoch = len(corpus.train_N) / 16
    parts = epoch / every
    assert parts == round(parts) >= 1  # so that each epoch ends with a look
    steps = [row["step"] for row in result.history]
    ends = [math.ceil(k * epoch) for k in range(1, int(60 / epoch) + 1)]
    assert set(ends) <= set(steps) and steps[-1] == 60


@pytest.mark.parametrize(
    ("steps", "epoch", "epochs_apart"),
    [
        (400, 24.0, 1),  # the default study
        (400, 23.6, 1),
        (10_000, 5.0, 20),  # 2,000 epochs
        (10**6, 1.0, 10_000),  # a million epochs: 100 looks
        (10**8, 100.0, 10_000),
        (400, 10.0, 2),  # epochs shorter than 20 steps
        (80, 3.2, 3),  # ... but a short run still has its looks
        (400, 100.0, 0.5),  # four epochs: each in two parts
        (400, 4000.0, 0.0125),
        (3, 1.5, 0.25),
    ],
)
def test_when_a_run_is_looked_at(steps, epoch, epochs_apart):
    every = steps_between_looks(steps, epoch)
    assert every / epoch == pytest.approx(epochs_apart)
    assert 8 <= steps / every <= 100


def test_looks_see_few_cells_and_the_gate_many(study, monkeypatch):
    *_, corpus, _ = study
    seen = []
    health = masked.Masked.health
    monkeypatch.setattr(pretraining, "WATCHED", 3)
    monkeypatch.setattr(pretraining, "GATED", 5)
    monkeypatch.setattr(
        masked.Masked, "health", lambda self, cells: seen.append(cells) or health(self, cells)
    )
    result = pretrain(pretrain_spec(), corpus, {})
    assert [len(cells.x_BG) for cells in seen] == [3] * len(result.history) + [5]
    first, *others = seen[:-1]
    assert all(torch.equal(cells.x_BG, first.x_BG) for cells in others)
    assert {cells.noise.step for cells in seen} == {0}
    ends = corpus.cells.key_N[corpus.validation_N[[0, -1]]].tolist()  # not one source's alone
    assert set(ends) <= set(first.noise.cell_B.tolist())


def test_test_cells_are_not_in_the_corpus(study):
    _, _, split, corpus, _ = study
    assert corpus.report["excluded"] == len(split["test"]) + len(split["test_left_out"]) > 0
    assert set(split["test"]).isdisjoint(corpus.cells.ids)


def test_an_interrupted_pretraining_ends_in_the_same_bits(study, tmp_path):
    _, _, _, corpus, whole = study
    state = StateFile(tmp_path / "state", "key")

    class Killed(Exception):
        pass

    original = pretraining.Loader.batch
    try:
        pretraining.Loader.batch = lambda self, step: (
            _raise(Killed) if step == 40 else original(self, step)
        )
        with pytest.raises(Killed):
            pretrain_saving(corpus, state)
    finally:
        pretraining.Loader.batch = original
    assert state.path.exists()
    resumed = pretrain_saving(corpus, state)
    for name, value in whole.method.state_dict().items():
        assert torch.equal(value, resumed.method.state_dict()[name]), name


def _raise(error):
    raise error


def pretrain_saving(corpus, state):
    """Pre-train with the state saved at every logged step."""
    plain = pretraining.Plan
    try:
        pretraining.Plan = lambda *a, **k: dataclasses.replace(plain(*a, **k), save_every_s=0.0)
        return pretrain(pretrain_spec(), corpus, {}, state)
    finally:
        pretraining.Plan = plain


def test_a_diverging_run_is_a_result(study):
    _, _, _, corpus, _ = study
    spec = pretrain_spec()
    wild = spec.model_copy(update={"training": Training(steps=60, batch=16, lr=1.0, clip=1e6)})
    result = pretrain(wild.model_copy(update={"params": {"rate": 0.3}}), _exploding(corpus), {})
    assert result.health is None
    assert "step 1" in result.failure


def _exploding(corpus):
    """The corpus with one gene's mean made infinite in every batch."""
    rows = corpus.cells.rows(np.arange(len(corpus.cells.total_N)))
    rows.data[:] = np.inf
    cells = MemoryCells(rows, corpus.cells.total_N, corpus.cells.key_N)
    return dataclasses.replace(corpus, cells=cells)
