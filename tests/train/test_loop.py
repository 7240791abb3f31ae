"""The loop resumes to the same bits, refuses foreign state, and stops at a bad loss."""

import os
import signal

import pytest
import torch
from torch import nn

from selfcell.errors import DivergenceError, StoreError
from selfcell.methods.base import Batch
from selfcell.nets.mlp import MLP
from selfcell.rng import Noise, torch_generator
from selfcell.train import loop
from selfcell.train.checkpoint import StateFile
from selfcell.train.loop import Plan, fit
from selfcell.train.signals import EXIT_RETRY


class Toy(nn.Module):
    """Autoencoder with dropout: every source of randomness that a method has."""

    def __init__(self):
        super().__init__()
        self.net = MLP([12, 8, 12], torch_generator(0, "toy"), dropout=0.3, last=None)
        self.moves = 0

    def loss(self, batch):
        y_BG = self.net(batch.x_BG, batch.noise)
        return (y_BG - batch.x_BG).square().mean(), {"extra": y_BG.detach().mean()}

    def after_step(self):
        self.moves += 1


class Cells:
    """Batches of 6 cells out of 30; `bad` is a step whose values are infinite."""

    def __init__(self, bad=None, interrupt=None):
        self.x = torch.rand(30, 12, generator=torch.Generator().manual_seed(1))
        self.bad, self.interrupt = bad, interrupt

    def batch(self, step):
        if step == self.interrupt:
            os.kill(os.getpid(), signal.SIGTERM)
        rows = (torch.arange(6) + 6 * step) % 30
        x = self.x[rows] * (float("inf") if step == self.bad else 1.0)
        return Batch(x, x, torch.ones(6), Noise(0, step, rows))


def run(batches, state=None, plan=None, measure=None):
    model = Toy()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    plan = plan or Plan(40, decay_every=10, decay=0.5, log_every=5, save_every_s=0.0)
    history, _ = fit(model, batches, optimiser, plan, state=state, measure=measure)
    return model, history


@pytest.mark.parametrize("killed_at", [3, 5, 22, 37])
def test_a_killed_run_ends_in_the_same_bits(tmp_path, killed_at):
    whole, history = run(Cells())

    class Killed(Exception):
        pass

    class Dying(Cells):
        def batch(self, step):
            if step == killed_at:
                raise Killed
            return super().batch(step)

    state = StateFile(tmp_path / "state.safetensors", "key")
    with pytest.raises(Killed):
        run(Dying(), state)
    resumed, again = run(Cells(), state)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert again == history
    assert resumed.moves == 40 - killed_at  # saved after each step, between rows, too


def test_a_warning_signal_saves_and_asks_for_a_retry(tmp_path):
    state = StateFile(tmp_path / "state.safetensors", "key")
    plan = Plan(40, log_every=5, save_every_s=1e9)
    with pytest.raises(SystemExit) as stop:
        run(Cells(interrupt=11), state, plan)
    assert stop.value.code == EXIT_RETRY
    resumed, again = run(Cells(), state, plan)
    assert resumed.moves == 28  # signalled in step 12, saved after it
    whole, history = run(Cells(), None, plan)
    assert torch.equal(whole.net.layers[0].weight, resumed.net.layers[0].weight)
    assert again == history  # the row that was open at the signal holds all of its losses


@pytest.mark.parametrize(
    ("every", "steps"),
    [(5, [5, 10, 12]), (2.5, [3, 5, 8, 10, 12]), (0.4, range(1, 13)), (99, [12])],
)
def test_rows_come_at_the_first_step_that_is_not_before_their_time(every, steps):
    _, history = run(Cells(), plan=Plan(12, log_every=every))
    assert [row["step"] for row in history] == list(steps)
    _, single = run(Cells(), plan=Plan(12, log_every=1))
    for before, row in zip([0, *steps], history, strict=False):
        part = [each["loss"] for each in single[before : int(row["step"])]]
        assert row["loss"] == pytest.approx(sum(part) / len(part))


def validated(losses):
    """A measure that gives these validation losses, one a row of five steps."""
    return lambda step: {"validation_loss": losses[step // 5 - 1]}


def weights_at(step):
    """What a run that is not stopped has at a step."""
    plan = Plan(step, decay_every=10, decay=0.5, log_every=5)
    return run(Cells(), plan=plan)[0].state_dict()


def test_the_weights_of_the_least_validation_loss_are_kept():
    model, history = run(Cells(), measure=validated([5, 3, 4, 2, 6, 7, 8, 9]))
    assert len(history) == 8
    best = weights_at(20)
    assert all(torch.equal(value, best[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("killed_at", [None, 8, 22, 29])
def test_a_run_ends_when_the_least_validation_loss_has_stood_for_long(tmp_path, killed_at):
    plan = Plan(40, decay_every=10, decay=0.5, log_every=5, save_every_s=0.0, patience=3)
    measure = validated([5, 3, 4, 2, 6, 2, 8, 0])

    class Dying(Cells):
        def batch(self, step):
            if step == killed_at:
                raise KeyboardInterrupt
            return super().batch(step)

    state = StateFile(tmp_path / "state.safetensors", "key")
    if killed_at is not None:
        with pytest.raises(KeyboardInterrupt):
            run(Dying(), state, plan, measure)
    model = Toy()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    history, ended = fit(model, Cells(), optimiser, plan, state=state, measure=measure)
    assert ended == "patience" and history[-1]["step"] == 35  # 2 stood through three rows
    best = weights_at(20)
    assert all(torch.equal(value, best[name]) for name, value in model.state_dict().items())


def test_time_ends_a_run_with_a_row_and_counts_all_attempts(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])

    class Slow(Cells):
        def batch(self, step):
            now[0] += 30.0
            return super().batch(step)

    state = StateFile(tmp_path / "state.safetensors", "key")
    plan = Plan(40, log_every=5, minutes=6.0)
    with pytest.raises(SystemExit):
        run(Slow(interrupt=6), state, plan)
    now[0] += 5000.0  # waiting for the next attempt is no training
    model = Toy()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    history, ended = fit(model, Slow(), optimiser, plan, state=state)
    assert ended == "max_minutes"
    assert [row["step"] for row in history] == [5, 10, 12]
    assert run(Cells(), plan=Plan(12, minutes=1e6))[1][-1]["step"] == 12


def test_a_run_says_that_its_steps_ended_it():
    model = Toy()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    assert fit(model, Cells(), optimiser, Plan(3)).ended == "max_steps"


def test_foreign_and_damaged_state_are_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    run(Cells(), StateFile(path, "one run"))
    with pytest.raises(StoreError, match="one run"):
        run(Cells(), StateFile(path, "another run"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match="not a readable state"):
        run(Cells(), StateFile(path, "one run"))


def test_divergence_names_the_step_and_keeps_the_state(tmp_path):
    state = StateFile(tmp_path / "state.safetensors", "key")
    with pytest.raises(
        DivergenceError, match=r"step 14, learning rate 0\.005, in the batch of 6"
    ) as caught:
        run(Cells(bad=13), state)
    assert "keys 18, 19, 20," in str(caught.value)
    model = Toy()
    kept = state.load(model, torch.optim.AdamW(model.parameters()))
    assert kept.step == 13
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_bad_gradient_stops_the_run_before_it_changes_a_weight(tmp_path):
    class Steep(Toy):
        def loss(self, batch):
            value, logs = super().loss(batch)
            bad = batch.noise.step == 13
            return value + (0.0 * value).sqrt() if bad else value, logs  # slope: 0 * infinity

    state = StateFile(tmp_path / "state.safetensors", "key")
    model = Steep()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    with pytest.raises(DivergenceError, match="step 14"):
        fit(model, Cells(), optimiser, Plan(40, save_every_s=0.0), state=state)
    assert all(p.isfinite().all() for p in model.parameters())


def test_history_has_loss_rate_logs_and_measures():
    _, history = run(Cells(), measure=lambda step: {"double": 2.0 * step})
    assert [row["step"] for row in history] == list(range(5, 45, 5))
    assert history[0]["double"] == 10.0
    assert history[0]["lr"] == pytest.approx(1e-2)
    assert history[-1]["lr"] == pytest.approx(1e-2 * 0.5**3)
    assert history[-1]["loss"] < history[0]["loss"]
    assert "extra" in history[0]
