"""Autoencoders fine-tuned to reconstruct: on the pool alone, both heads, scratch trained alike."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from selfcell.errors import DivergenceError
from selfcell.metrics.reconstruct import BATCHED, METRICS
from selfcell.specs import FrozenSpec, ReconstructSpec, Tuning
from selfcell.stats import table
from selfcell.tasks import autoencoder, model, reconstruct
from selfcell.tasks.pretrain import build
from tests.tasks import divided
from tests.tasks.divided import NETWORK, THINNING, Made, trained

HEADS = [{"loss": "mse", "output": "linear"}, {"loss": "nb", "output": "linear"}]
TUNING = Tuning(draws=2, steps=60, batch=32, lr=[1e-3, 1e-2])


def spec(**changes: Any) -> ReconstructSpec:
    fields: dict[str, Any] = {
        "study": "t", "protocol": "intended", "corpus": "all", "method": "mae", "seed": 0,
        "thinning": THINNING, "tuning": TUNING, "heads": [], "clip": 1.0, "precision": "float32",
        "network": NETWORK,
    }  # fmt: skip
    return ReconstructSpec(**{**fields, **changes})


def scratch(**changes: Any) -> ReconstructSpec:
    return spec(**{"corpus": "none", "method": "scratch", "heads": HEADS, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return divided.store(tmp_path_factory.mktemp("autoencoder"))


@pytest.fixture(scope="module", params=["mse", "nb"])
def network(request: pytest.FixtureRequest, made: Made) -> model.Trained:
    return trained(*made, request.param)


@pytest.fixture(scope="module")
def data(made: Made) -> reconstruct.Molecules:
    return reconstruct.Molecules.read(*made[1:], THINNING, 0)


def test_it_learns_from_the_pool_what_the_frozen_one_does_not_know(
    made: Made, network: model.Trained
) -> None:
    _, store, split = made
    rows = autoencoder.fine_tuned(spec(), network, store, split, "run")
    scores, predictions = rows.frames()
    table.validate(scores)
    assert predictions.empty
    assert len(scores) == 2 * len(METRICS | BATCHED)
    for column, value in {
        "mode": "fine-tuned", "init": "pretrained", "corpus": "all", "method": "mae",
        "task": "reconstruction", "n_labels": 0, "n_train": len(split["pool"]),
        "n_test": len(split["test"]), "regime": "none",
    }.items():  # fmt: skip
        assert set(scores[column]) == {value}, column
    frozen = FrozenSpec(
        study="t", protocol="intended", corpus="all", method="mae", seed=0, network=NETWORK,
        readouts=["probe"], reconstruction=THINNING,
    )  # fmt: skip
    before, _ = reconstruct.frozen(frozen, network, store, split, "run").frames()
    assert network.decoder is not None
    before = before[before.readout == network.decoder.readout]
    both = [each.set_index(["draw", "metric"]).value for each in (before, scores)]
    for draw in (0, 1):
        assert both[1][draw, "ev_weighted"] > both[0][draw, "ev_weighted"] + 0.02
        assert both[1][draw, "mse"] < both[0][draw, "mse"]
    assert set(rows.genes().gene_id) <= set(np.array(store.gene_ids)[store.measured_G])


def test_scratch_has_a_row_for_each_head_and_no_model(made: Made) -> None:
    _, store, split = made
    tuning = TUNING.model_copy(update={"steps": 150})
    rows = autoencoder.fine_tuned(scratch(tuning=tuning), None, store, split, "run")
    scores, _ = rows.frames()
    table.validate(scores)
    assert set(scores.init) == {"random"}
    assert set(scores.readout) == {"decoder", "decoder_nb"}
    found = scores[scores.metric == "ev_weighted"].groupby("readout").value.mean()
    assert (found > 0.05).all()
    assert abs(found["decoder"] - found["decoder_nb"]) < 0.05  # in the same units


def test_scratch_starts_where_pre_training_does(made: Made, data: reconstruct.Molecules) -> None:
    """Weights of the seed; a negative binomial at the mean of each gene of the pool."""
    spec = divided.pretrain_spec("mse")
    before = build(spec, divided.corpus(spec, *made[1:]), {}).state_dict()
    for head in HEADS:
        own = autoencoder.fresh(head, NETWORK, 0, data.mean_G, data.measured_G)
        for name, value in own.encoder.state_dict().items():
            assert torch.equal(value, before[f"encoder.{name}"])
    plain, nb = (
        autoencoder.fresh(head, NETWORK, 0, data.mean_G, data.measured_G) for head in HEADS
    )
    for name, value in plain.decoder.state_dict().items():
        assert torch.equal(value, before[f"decoder.{name}"])
    start_G = nb.decoder.layers[-1].get_parameter("bias").exp().log1p()
    known_G = torch.from_numpy(data.mean_G) > 0.01
    assert torch.allclose(start_G[known_G], torch.from_numpy(data.mean_G)[known_G], atol=1e-5)
    other = autoencoder.fresh(HEADS[0], NETWORK, 1, data.mean_G, data.measured_G)
    assert not torch.equal(other.encoder.layers[0].weight, plain.encoder.layers[0].weight)
    assert plain.encoder.dropout == plain.decoder.dropout == NETWORK.dropout


def test_the_model_that_is_given_stays_as_it_is(made: Made, network: model.Trained) -> None:
    _, store, split = made
    before = copy.deepcopy(network.encoder.state_dict())
    autoencoder.fine_tuned(spec(), network, store, split, "run")
    for name, value in network.encoder.state_dict().items():
        assert torch.equal(value, before[name])


def test_no_test_cell_is_learned_from(made: Made, data: reconstruct.Molecules) -> None:
    """Other test cells, the same weights."""
    hidden_NG = sparse.csr_matrix(data.test.hidden_NG.toarray()[::-1] * 3)
    test = dataclasses.replace(data.test, seen_NG=hidden_NG, hidden_NG=hidden_NG)
    for head in HEADS:
        start = autoencoder.fresh(head, NETWORK, 0, data.mean_G, data.measured_G)
        ends = [
            autoencoder.train(scratch(), start, each)
            for each in (data, dataclasses.replace(data, test=test))
        ]
        weights = [end.state_dict() for end in ends if end is not None]
        assert len(weights) == 2
        for name, value in weights[0].items():
            assert torch.equal(value, weights[1][name])


@pytest.mark.parametrize("head", HEADS)
def test_the_loss_is_of_the_hidden_half_and_the_code_of_the_seen_one(
    data: reconstruct.Molecules, head: dict[str, str]
) -> None:
    """A batch by hand: its own cells, and genes that were not measured in no loss."""
    rows = np.arange(3, 30)
    batch = autoencoder.Halved(data, rows, 8, 1, torch.device("cpu")).batch(2)
    assert batch.label_B is not None
    cells = batch.label_B.numpy()
    assert set(cells) <= set(rows)
    assert np.array_equal(batch.x_BG.numpy(), data.pool.seen_NG[cells].toarray())
    hidden_BG = (batch.count_BG * 1e4 / batch.total_B[:, None]).log1p()
    assert np.allclose(hidden_BG.numpy(), data.pool.hidden_NG[cells].toarray(), atol=1e-5)
    start = autoencoder.fresh(head, NETWORK, 0, data.mean_G, data.measured_G)
    loss, _ = start.loss(batch)
    loss.backward()
    grad_G = start.decoder.layers[-1].get_parameter("bias").grad
    assert grad_G is not None
    assert grad_G[torch.from_numpy(~data.measured_G)].abs().sum() == 0
    assert grad_G[torch.from_numpy(data.measured_G)].abs().min() > 0


def test_the_least_error_of_held_out_pool_cells_chooses(
    data: reconstruct.Molecules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same fifth of the pool at every rate, apart from the cells that are trained on."""
    used: list[tuple[float, np.ndarray, np.ndarray]] = []
    errors = {1e-3: 2.0, 1e-2: 1.0, 1e-1: 3.0}

    def fitted(spec: Any, own: Any, lr: float, data: Any, parts: Any, names: Any) -> float:
        used.append((lr, *parts))
        own.asked_G.fill_(lr == 1e-2)
        return errors[lr]

    monkeypatch.setattr(autoencoder, "_fit", fitted)
    start = autoencoder.fresh(HEADS[0], NETWORK, 0, data.mean_G, data.measured_G)
    tuning = TUNING.model_copy(update={"lr": list(errors)})
    best = autoencoder.train(scratch(tuning=tuning), start, data)
    assert best is not None and best.asked_G.all()
    (_, rows, held), *others = used
    assert len(held) == data.n_pool // 5
    assert sorted([*rows, *held]) == list(range(data.n_pool))
    assert all(np.array_equal(held, other[2]) for other in others)


def test_what_diverges_at_every_rate_is_a_row_without_values(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*args: Any) -> float:
        raise DivergenceError("loss nan", "a finite loss", "lower the learning rate")

    monkeypatch.setattr(autoencoder, "_fit", diverge)
    rows = autoencoder.fine_tuned(scratch(), None, *made[1:], "run")
    scores, _ = rows.frames()
    table.validate(scores)
    assert set(scores.status) == {"diverged"}
    assert scores.value.isna().all()
    assert rows.genes().empty
