"""A run that was killed, at any point and in any method, ends in the bits of one that was not."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from selfcell.data.corpus import Corpus
from selfcell.data.loader import Loader
from selfcell.methods import METHODS
from selfcell.tasks import pretrain as module
from selfcell.tasks.pretrain import Pretrained, pretrain
from selfcell.train.checkpoint import StateFile
from tests.methods.factory import CELLS, context, with_factors
from tests.train.trainee import corpus, spec
from tests.tree import REPO

KILLED = REPO / "tests" / "train" / "killed.py"


@pytest.fixture(scope="module")
def cells() -> Corpus:
    """The synthetic corpus."""
    return corpus()


def run(cells: Corpus, method: str, state: StateFile | None = None) -> Pretrained:
    """Eight steps of a method."""
    factors = with_factors(context(unmeasured=())).programmes
    return pretrain(
        spec(method), cells, factors if method == "gp_to_tf" else CELLS.programmes, state
    )


def same(one: Pretrained, other: Pretrained) -> None:
    """Weights, curve and verdict, to the bit."""
    weights = other.method.state_dict()
    for name, value in one.method.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert one.history == other.history
    assert one.health == other.health


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_on_to_the_same_bits(
    cells: Corpus, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(cells, method)
    plan_of, batch = module.plan_of, Loader.batch
    monkeypatch.setattr(module, "plan_of", lambda *args: replace(plan_of(*args), save_every_s=0.0))
    last = -1

    def dying(self: Loader, step: int) -> object:
        nonlocal last
        if step in (1, 4, 7) and step > last and len(self.rows) > 256:
            last = step
            raise KeyboardInterrupt
        return batch(self, step)

    monkeypatch.setattr(Loader, "batch", dying)
    state = StateFile(tmp_path / "state", "key")
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(cells, method, state)
    same(run(cells, method, state), whole)
    assert last == 7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "where", "step"),
    [("random_mask", "batch", 6), ("byol", "save", 5), ("barlow_twins", "measure", 6)],
)
def test_kill_9_at_any_point(
    cells: Corpus, method: str, where: str, step: int, tmp_path: Path
) -> None:
    command = [sys.executable, str(KILLED), method, where, str(step), str(tmp_path / "state")]
    died = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert (tmp_path / "state").is_file()
    same(run(cells, method, StateFile(tmp_path / "state", "key")), run(cells, method))
