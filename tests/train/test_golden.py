"""The loss curve of every method is the recorded one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch

from selfcell.methods import METHODS
from tests.golden.curves import FILE, STEPS, THREADS, curve, machine

GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def as_recorded() -> Iterator[None]:
    """The recorded number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", GOLDEN["loss"])
def test_losses_are_the_recorded_ones(name: str) -> None:
    """To the bit on the recorded torch, CPU capability and threads, else to 1e-4."""
    recorded = GOLDEN["loss"][name]
    same = all(GOLDEN[key] == value for key, value in machine().items())
    assert len(recorded) == STEPS
    assert curve(name) == (recorded if same else pytest.approx(recorded, rel=1e-4))


def test_curves_are_of_methods_there_are_and_no_two_are_alike() -> None:
    """A method of one's own may do without; `python -m tests.golden.curves` records it."""
    assert set(GOLDEN["loss"]) <= set(METHODS)
    assert len({tuple(losses) for losses in GOLDEN["loss"].values()}) == len(GOLDEN["loss"]) >= 11
