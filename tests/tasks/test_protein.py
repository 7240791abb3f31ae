"""Proteins from RNA on two small stores, one to learn on and one to predict."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData
from scipy import sparse
from sklearn.neighbors import KNeighborsRegressor

from selfcell.baselines.protein import rivals
from selfcell.data.protein_split import ProteinSplit, make_split
from selfcell.data.store import Store
from selfcell.errors import StoreError
from selfcell.keys import generator
from selfcell.metrics import protein as metrics
from selfcell.rng import torch_generator
from selfcell.specs import FrozenSpec, Network, ProteinSpec, ProteinTuning
from selfcell.stats import table
from selfcell.tasks import evaluate, model, protein, protein_head
from tests.baselines.made import equal, fits
from tests.data import factory

NETWORK = Network(hidden=[16, 8], activation="selu", dropout=0.1)
Made = tuple[dict[str, Store], dict[str, Any]]


def cells(name: str, proteins: tuple[str, ...], batches: int = 2) -> AnnData:
    """Cells of three types, a protein for each; every data set is stained to its own depth."""
    made = factory.make_cells(name, n=150, batch=[f"lane{i % batches}" for i in range(150)])
    rng, depth = generator("protein counts", name), {"a": 20.0, "b": 80.0}[name]
    rate_NQ = np.stack([np.where(made.obs["label"] == t, 4.0, 0.5) for t in factory.TYPES], 1)
    of_type = {"A": 0, "B": 1, "C": 2, "mine": 0}
    values = {n: rng.poisson(depth * rate_NQ[:, of_type[n]]) for n in proteins}
    made.obsm["protein"] = pd.DataFrame(values, index=made.obs_names).astype(np.float32)
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("protein")
    sets = {"a": cells("a", ("A", "B", "C", "mine")), "b": cells("b", ("C", "B", "A"), 3)}
    stores = {}
    for name, own in sets.items():
        (root / name).mkdir()
        stores[name] = factory.make_store(root / name, own, "store")
    spec = ProteinSplit(
        name="p", train={"dataset": "a"}, test={"dataset": "b"}, n_train=(30, "all"), draws=2
    )
    names = {name: list(own.obsm["protein"].columns) for name, own in sets.items()}
    return stores, make_split(spec, {name: own.obs for name, own in sets.items()}, names)


@pytest.fixture(scope="module")
def data(made: Made) -> protein.Data:
    return protein.Data.read(*made, "clr")


def tuning_spec(**changes: Any) -> ProteinSpec:
    fields: dict[str, Any] = {
        "study": "t", "protocol": "intended", "protein": "p", "corpus": "none", "method": "scratch",
        "seed": 0, "seeds": [0, 1], "normalisation": "clr", "clip": 1.0, "precision": "float32",
        "network": NETWORK,
        "tuning": ProteinTuning(n_train=["all"], draws=1, steps=120, batch=16, lr=[1e-3, 1e-2]),
    }  # fmt: skip
    return ProteinSpec(**{**fields, **changes})


def frozen_spec() -> FrozenSpec:
    return FrozenSpec(
        study="t", protocol="intended", corpus="all", method="mae", seed=0, network=NETWORK,
        readouts=["probe"], protein="clr",
    )  # fmt: skip


def encoder(store: Store) -> model.Trained:
    """A network with random weights, in the place of a pre-trained one."""
    net = model.new_encoder(len(store.gene_ids), NETWORK, 0).eval()
    return model.Trained(net, None, store.gene_ids, "ok", {})


def test_centred_log_ratios_by_hand() -> None:
    count_NQ = np.array([[0, np.e - 1], [np.e**2 - 1, np.e**4 - 1]])
    assert protein.normalise(count_NQ, "log1p") == pytest.approx(np.array([[0, 1], [2, 4]]))
    assert protein.normalise(count_NQ, "clr") == pytest.approx(np.array([[-0.5, 0.5], [-1, 1]]))


def test_centred_log_ratios_cancel_the_depth_of_staining(made: Made, data: protein.Data) -> None:
    """The second data set is stained four times as deep."""
    plain = protein.Data.read(*made, "log1p")
    assert abs(plain.y_NQ.mean() - plain.y_PQ.mean()) > 1
    assert data.y_NQ.mean() == pytest.approx(data.y_PQ.mean(), abs=1e-6)
    assert data.y_NQ.std() == pytest.approx(data.y_PQ.std(), rel=0.25)


def test_proteins_are_matched_by_name(made: Made, data: protein.Data) -> None:
    stores, split = made
    assert split["proteins"] == ["A", "B", "C"]
    raw = stores["b"].protein.loc[split["test"][5], ["A", "B", "C"]].to_numpy(float)
    assert data.y_NQ[5] == pytest.approx(np.log1p(raw) - np.log1p(raw).mean(), rel=1e-5)


def test_batches_not_trained_on_are_zero_and_some_of_the_others(data: protein.Data) -> None:
    assert data.batch_PK.shape == (150, 2)
    assert (data.batch_PK.sum(1) == 1).all()
    assert not data.batch_NK.any()
    rows = np.arange(150)
    kept = data.covariate(rows, "all", 0)
    dropped = kept.sum(1) == 0
    assert 0.05 < dropped.mean() < 0.3
    assert (kept[~dropped] == data.batch_PK[~dropped]).all()
    assert (kept == data.covariate(rows, "all", 0)).all()


def test_known_batches_keep_their_covariate(made: Made) -> None:
    stores, split = made
    half = {**split, "dataset": "a", "pool": split["pool"][:100], "test": split["pool"][100:]}
    own = protein.Data.read(stores, half, "clr")
    assert (own.batch_NK.sum(1) == 1).all()


def test_frozen_rows_keep_the_contract(made: Made, data: protein.Data) -> None:
    stores, split = made
    trained = encoder(stores["a"])
    found = evaluate.frozen(frozen_spec(), trained, stores, [split], {}, "run")
    assert found.genes is None
    scores = found.frames[0][0]
    table.validate(scores)
    assert set(scores.task) == {"protein"}
    assert set(scores.regime) == {"30", "all"}
    assert set(scores.label[scores.level == "protein"]) == {"A", "B", "C"}
    assert set(scores.n_train[scores.regime == "all"]) == {120}
    overall = scores[(scores.metric == metrics.PRIMARY) & (scores.readout == "ridge")]
    assert overall.value.mean() > 0.1
    # The mean over proteins is the mean of the rows by protein.
    keys = ["regime", "draw", "readout"]
    by_protein = scores[scores.level == "protein"].groupby(keys).value.mean()
    whole = scores[scores.metric == metrics.PRIMARY].set_index(keys).value
    assert by_protein.to_dict() == pytest.approx(whole.to_dict())


def test_nearest_neighbours_are_those_of_scikit_learn(data: protein.Data) -> None:
    rng = generator("codes")
    pool_PD, test_ND = (rng.normal(size=(150, 4)).astype(np.float32) for _ in range(2))
    rows = np.arange(0, 150, 2)
    own = protein.by_neighbours(data, rows, pool_PD, test_ND, ())
    peer = KNeighborsRegressor(5).fit(pool_PD[rows], data.y_PQ[rows]).predict(test_ND)
    assert own == pytest.approx(peer, abs=1e-5)


def test_no_prediction_depends_on_test_proteins_or_other_training_cells(data: protein.Data) -> None:
    rng = generator("codes")
    pool_PD, test_ND = (rng.normal(size=(150, 4)).astype(np.float32) for _ in range(2))
    rows = np.arange(40)
    other_PQ = data.y_PQ.copy()
    other_PQ[40:] += 9.0
    changed = dataclasses.replace(data, y_PQ=other_PQ, y_NQ=data.y_NQ + 9.0)
    for read in (protein.by_ridge, protein.by_neighbours):
        before, after = (read(own, rows, pool_PD, test_ND, ("all", 0)) for own in (data, changed))
        assert np.array_equal(before, after)


def test_a_collapsed_code_has_rows_without_values(data: protein.Data) -> None:
    keys = {
        "study": "t", "protocol": "intended", "corpus": "all", "method": "mae",
        "init": "pretrained", "seed": 0, "mode": "frozen", "run_hash": "run",
    }  # fmt: skip
    rows = protein.Rows(keys, data)
    rows.code(np.ones((150, 4), np.float32), np.ones((150, 4), np.float32))
    scores, _ = rows.frames()
    table.validate(scores)
    assert set(scores.status) == {"collapsed"}
    assert scores.value.isna().all()


def test_rivals_and_the_mean_beside_them(data: protein.Data) -> None:
    frames = [rows.frames()[0] for rows in rivals(tuning_spec(), data, "run")]
    scores = pd.concat(frames, ignore_index=True)
    table.validate(scores)
    controls = {"perfect", "permuted", "random_embedding"}
    assert set(scores.method) == {"protein_mean", "pca", "random_encoder"} | controls
    primary = scores[scores.metric == metrics.PRIMARY].groupby("method").value.mean()
    assert primary["protein_mean"] == 0.0
    assert primary["pca"] > 0.3
    assert primary["perfect"] == pytest.approx(1)
    assert max(primary["permuted"], primary["random_embedding"]) < 0.15
    assert set(scores.seed[scores.method == "random_encoder"]) == {0, 1}


def test_components_are_of_the_training_cells_alone(
    data: protein.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = fits(monkeypatch)
    list(rivals(tuning_spec(), data, "run"))
    assert len(fitted) == 1
    assert equal(fitted[0], sparse.csr_matrix(data.x_PG.numpy()))


def test_fine_tuning_learns_repeats_itself_and_leaves_its_start_alone(data: protein.Data) -> None:
    net = model.new_encoder(data.x_PG.shape[1], NETWORK, 0)
    before = [layer.weight.clone() for layer in net.layers]
    runs = [
        protein_head.fine_tuned(tuning_spec(), net, "ok", "random", data, "run").frames()[0]
        for _ in range(2)
    ]
    table.validate(runs[0])
    assert runs[0].equals(runs[1])
    assert set(runs[0].regime) == {"all"}
    assert set(runs[0].draw) == {0}
    assert runs[0].value[runs[0].metric == metrics.PRIMARY].item() > 0.3
    assert all(torch.equal(a, layer.weight) for a, layer in zip(before, net.layers, strict=True))


def test_learning_rate_and_step_are_chosen_on_training_cells_alone(data: protein.Data) -> None:
    net = model.new_encoder(data.x_PG.shape[1], NETWORK, 0)
    blind = dataclasses.replace(data, y_NQ=data.y_NQ * np.nan, x_NG=data.x_NG * 0)
    chosen = np.array(data.split["draws"]["all"][0])
    spec = tuning_spec()
    one, other = (protein_head.train(spec, net, own, chosen, ("all", 0)) for own in (data, blind))
    assert one is not None
    assert other is not None
    assert torch.equal(one.head.layers[0].weight, other.head.layers[0].weight)


def test_a_diverging_run_is_a_result(data: protein.Data) -> None:
    wild = ProteinTuning(n_train=["all"], draws=1, steps=10, batch=16, lr=[1.0])
    broken = dataclasses.replace(data, y_PQ=np.full_like(data.y_PQ, np.inf))
    net = model.new_encoder(data.x_PG.shape[1], NETWORK, 0)
    with np.errstate(invalid="ignore"):
        rows = protein_head.fine_tuned(tuning_spec(tuning=wild), net, "ok", "random", broken, "run")
    scores, _ = rows.frames()
    assert set(scores.status) == {"diverged"}


def test_the_head_drops_the_batch_of_some_cells_in_training(data: protein.Data) -> None:
    """With a head that reads the batch alone, the loss is that of cells with and without it."""
    net = model.new_encoder(data.x_PG.shape[1], NETWORK, 0).eval()
    rows = np.arange(150)
    head = protein_head.Regressor(net, data.y_PQ, data.batch_PK, rows, torch_generator(0))
    with torch.no_grad():
        for value in head.head.parameters():
            value.zero_()
        head.head.layers[0].weight[:, -2:] = 100.0
    step = protein_head.Loader(data.pool, rows, 100, 0, label_N=rows).batch(0)
    kept = step.noise.bernoulli(0.85, 1, "protein batch").float()
    truth = (head.y_PQ[step.label_B] - head.mean_Q) / head.scale_Q
    expected = (truth - 100.0 * kept).square().mean()
    assert head.loss(step)[0].item() == pytest.approx(expected.item(), rel=1e-5)
    assert 0.7 < kept.mean() < 0.97


def test_a_store_without_proteins_says_so(tmp_path: Path) -> None:
    store = factory.make_store(tmp_path, factory.make_cells())
    with pytest.raises(StoreError, match="holds no proteins"):
        _ = store.protein
