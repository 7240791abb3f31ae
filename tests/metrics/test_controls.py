"""What bounds what, for every metric of every task: the truth, a good guess, and a blind one.

Annotation, integration and unseen data have their controls among their arms, whose order
`tests/baselines`, `test_integrate.py` and `tests/tasks/test_unseen.py` hold; here the metrics that
are not of classes alone, on made-up predictions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfcell.keys import generator
from selfcell.metrics import lineage, protein
from selfcell.metrics.lineage import Lineage
from selfcell.metrics.ontology import read
from selfcell.metrics.reconstruct import BATCHED, METRICS, Sums
from tests.metrics.factory import write_json

BETTER_LOW = {"mse"}


def ordered(truth: dict[str, float], guess: dict[str, float], blind: dict[str, float]) -> None:
    """Fail where a metric does not put the truth above the guess, and the guess above the blind."""
    assert set(truth) == set(guess) == set(blind)
    for name in truth:
        sign = -1 if name in BETTER_LOW else 1
        values = [sign * each[name] for each in (truth, guess, blind)]
        assert values[0] > values[1] > values[2], name


def test_proteins() -> None:
    rng = generator("controls", "protein")
    truth_NQ = rng.normal(np.arange(6.0), 1.0, (80, 6))
    guess_NQ = truth_NQ + rng.normal(0.0, 0.7, truth_NQ.shape)
    permuted_NQ = truth_NQ[rng.permutation(80)]
    every = [protein.values(truth_NQ, each) for each in (truth_NQ, guess_NQ, permuted_NQ)]
    # Which cells are difficult is another matter for each prediction; for the truth none is.
    found = [{n: v for n, v in each.items() if "difficult" not in n} for each in every]
    assert [len(one) - len(plain) for one, plain in zip(every, found, strict=True)] == [0, 5, 5]
    ordered(*found)
    assert found[0]["mse"] == 0.0
    assert all(value == pytest.approx(1.0) for name, value in found[0].items() if name != "mse")


def test_reconstruction() -> None:
    rng = generator("controls", "reconstruction")
    truth_NG = rng.gamma(2.0, 1.0, (90, 12))
    guess_NG = truth_NG + rng.normal(0.0, 0.6, truth_NG.shape)
    mean_NG = np.broadcast_to(truth_NG.mean(0), truth_NG.shape)
    permuted_NG = truth_NG[rng.permutation(90)]
    truth, guess, mean, permuted = (
        sums.values() | sums.batch_values()
        for sums in (Sums.of(truth_NG, each) for each in (truth_NG, guess_NG, mean_NG, permuted_NG))
    )
    assert set(truth) == {*METRICS, *BATCHED}
    ordered(truth, guess, mean)
    ordered(guess, mean, permuted)  # to guess another cell is worse than to guess none
    assert truth["ev_weighted"] == truth["ev_uniform"] == 1.0 and truth["mse"] == 0.0


def test_lineage(tmp_path: Path) -> None:
    ids = {"A": "T:a", "B": "T:b", "C": "T:c", "D": "T:d", "E": "T:e"}
    view = Lineage.of(list(ids), ids, read(write_json(tmp_path / "toy.json")))
    rng = generator("controls", "lineage")
    true_N = rng.integers(5, size=200)
    guess_N = np.where(rng.random(200) < 0.7, true_N, rng.integers(5, size=200))
    found = [
        lineage.score(true_N, each, view) for each in (true_N, guess_N, rng.permutation(true_N))
    ]
    ordered(*found)
    assert set(found[0].values()) == {1.0}
