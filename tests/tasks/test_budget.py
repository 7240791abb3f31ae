"""What ends a pre-training run, what it leaves, and where it runs."""

import math

import pytest
import torch

from selfcell.errors import ConfigError
from selfcell.methods import METHODS
from selfcell.methods.base import Batch
from selfcell.nets import across
from selfcell.tasks import pretrain as module
from selfcell.tasks.pretrain import plan_of, pretrain
from selfcell.train.loop import Plan, fit
from selfcell.train.optim import optimiser
from tests.methods.factory import CELLS, batch, context, make
from tests.train.trainee import corpus, spec

CPU = torch.device("cpu")


def trained(method="random_mask", **changes):
    """A run of a method on the synthetic cells with other settings."""
    one = spec(method)
    training = one.training.model_copy(update=changes)
    return pretrain(one.model_copy(update={"training": training}), corpus(), CELLS.programmes)


def test_a_whole_run_says_so():
    notes = trained().notes()
    assert notes == {
        "failure": "", "ended": "max_steps", "steps": 8, "device": "cpu", "gene_sets": "",
    }  # fmt: skip


def test_epochs_end_a_run():
    epoch = len(corpus().train_N) / 64
    run = trained(max_epochs=5 / epoch)
    assert run.ended == "max_epochs" and run.notes()["steps"] == 5
    assert trained(max_epochs=100.0).ended == "max_steps"


def test_minutes_end_a_run():
    run = trained(max_minutes=1e-6)
    assert run.ended == "max_minutes" and run.notes()["steps"] == 1
    assert run.history[-1]["step"] == 1 and run.health is not None


@pytest.mark.parametrize("method", ["random_mask", "simclr", "byol"])
def test_validation_loss_is_watched_only_where_it_ends_a_run(method):
    assert "validation_loss" not in trained(method).history[0]
    rows = trained(method, patience=100).history
    losses = [row["validation_loss"] for row in rows]
    assert all(map(math.isfinite, losses)) and losses[0] != losses[-1]
    plain = trained(method).history  # looking changes nothing of the run
    assert [row["loss"] for row in rows] == [row["loss"] for row in plain]


def test_patience_ends_a_run_with_the_best_weights(monkeypatch):
    losses = iter([3.0, 1.0, 2.0, 2.0, 0.0])
    monkeypatch.setattr(module, "_loss", lambda method, watched: next(losses))
    run = trained(patience=2)
    assert run.ended == "patience" and len(run.history) == 4
    best = trained(max_epochs=run.history[1]["step"] * 64 / len(corpus().train_N))
    assert best.notes()["steps"] == run.history[1]["step"]
    for name, value in best.method.state_dict().items():
        assert torch.equal(value, run.method.state_dict()[name]), name


def test_a_diverged_run_is_a_result():
    run = trained(lr=1e6, clip=1e6, steps=60)
    assert run.ended == "diverged" and run.failure and run.notes()["steps"] == 0


def test_alone_a_process_is_the_only_one(monkeypatch):
    monkeypatch.setattr(across.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(across.dist, "get_world_size", lambda: 4)
    with across.alone():
        assert across.processes() == 1
    assert across.processes() == 4


def test_a_plan_is_the_settings():
    plan = plan_of(spec("random_mask").training, 7.0, CPU)
    assert plan.minutes == math.inf and plan.patience == 0 and plan.steps == 8
    assert not plan.bf16


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="sees no GPU"):
        trained(device="cuda")


class Cells:
    """Batches of 32 synthetic cells."""

    def __init__(self, known):
        self.known = known

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        with torch.device("cpu"):
            return batch(self.known, range(32), step)


@pytest.mark.parametrize("name", METHODS)
def test_nothing_is_made_elsewhere_than_the_batch(name):
    """Whatever names no device of its own lands on `meta` here and mixes with nothing, as it
    would land on the processor in a run on a GPU."""
    known = context(dropout=0.1)
    method = make(name, known)
    cells, descent = Cells(known), optimiser(method, 1e-3, 0.01)
    with torch.device("meta"):
        fitted = fit(method, cells, descent, Plan(2, log_every=1))
        health = method.health(cells.batch(0))
    assert all(math.isfinite(row["loss"]) for row in fitted.history)
    assert math.isfinite(health.value)


@pytest.mark.parametrize("name", METHODS)
def test_no_tensor_of_a_method_stays_behind(name):
    """What is no parameter and no buffer does not move with a method."""

    def held(value, where):
        if isinstance(value, torch.Tensor):
            yield where
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from held(item, f"{where}.{key}")
        elif isinstance(value, (list, tuple)):
            for place, item in enumerate(value):
                yield from held(item, f"{where}.{place}")
        elif hasattr(value, "__dataclass_fields__"):
            yield from held(vars(value), where)

    own = {"_parameters", "_buffers", "_modules"}
    for path, part in make(name, context(dropout=0.1)).named_modules():
        loose = {key: value for key, value in vars(part).items() if key not in own}
        assert not list(held(loose, path))
