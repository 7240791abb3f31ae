"""Integration on two small stores: which cells, which arms; labels serve the score alone."""

from __future__ import annotations

import dataclasses
import logging
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from selfcell import extras
from selfcell.baselines import integrate as rivals
from selfcell.data.corpus import Corpus
from selfcell.data.specs import CorpusSource, CorpusSpec
from selfcell.data.store import Store
from selfcell.data.types import common
from selfcell.errors import ConfigError, DataError, StoreError
from selfcell.metrics import integrate as metrics
from selfcell.specs import (
    ContinuedSpec,
    FrozenSpec,
    IntegrateSpec,
    Mixture,
    Network,
    PretrainSpec,
    Training,
)
from selfcell.stats import table
from selfcell.tasks import evaluate, integrate, model
from selfcell.tasks.pretrain import pretrain
from tests.data import factory

NETWORK = Network(hidden=[16, 8], activation="selu", dropout=0.1)
TYPES = {
    "first": {"a": ("alpha",), "b": ("A",)},
    "others": {"a": ("beta", "delta"), "b": ("B",)},
}
Stores = dict[str, Store]


def mixture(**changes: Any) -> Mixture:
    fields: dict[str, Any] = {
        "sources": [{"dataset": "a"}], "batch": "donor", "types": {}, "min_cells": 5,
        "max_cells": 1000,
    }  # fmt: skip
    return Mixture(**{**fields, **changes})


def both(**changes: Any) -> Mixture:
    sources = [{"dataset": "a", "where": {"condition": ["CTRL"]}}, {"dataset": "b"}]
    return mixture(**{"sources": sources, "batch": "dataset", "types": TYPES, **changes})


def spec(**changes: Any) -> IntegrateSpec:
    fields: dict[str, Any] = {
        "study": "t", "protocol": "intended", "target": "mix", "cells": mixture(),
        "rivals": ["pca"], "network": NETWORK, "seeds": [0],
    }  # fmt: skip
    return IntegrateSpec(**{**fields, **changes})


def further(**changes: Any) -> ContinuedSpec:
    fields: dict[str, Any] = {
        "study": "t", "protocol": "intended", "target": "mix", "cells": mixture(), "corpus": "c",
        "method": "mae", "seed": 0, "steps": 20, "scratch": True,
    }  # fmt: skip
    return ContinuedSpec(**{**fields, **changes})


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    root = tmp_path_factory.mktemp("mix")
    first = factory.make_cells("a", n=160)
    named = {"alpha": "A", "beta": "B", "delta": "odd"}
    second = factory.make_cells("b", n=120, genes=range(30))
    second.obs["label"] = second.obs["label"].map(named)
    second.obs["donor"] = "unknown"
    return {
        name: factory.make_store(root, own, name) for name, own in (("a", first), ("b", second))
    }


@pytest.fixture(scope="module")
def trained(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> model.Trained:
    chosen = CorpusSpec(name="c", sources=(CorpusSource(dataset="a"),))
    training = Training(steps=30, batch=16, lr=3e-3, precision="float32")
    task = PretrainSpec(
        study="t", protocol="intended", corpus=chosen, method="mae", task="random_mask",
        params={"rate": 0.3}, network=NETWORK, training=training, seed=0,
    )  # fmt: skip
    corpus = Corpus.build(chosen, stores, {})
    made = pretrain(task, corpus, {})
    folder = tmp_path_factory.mktemp("model")
    model.save(folder, made.method, task, corpus.genes, made.health, {"run_hash": "abc"})
    return model.load(folder)


@pytest.fixture(scope="module")
def data(stores: Stores) -> integrate.Data:
    return integrate.Data.read("mix", mixture(), stores)


def test_labels_meet_in_common_types() -> None:
    label_N = np.array(["alpha", "delta", "beta"])
    assert common(label_N, "a", TYPES).tolist() == ["first", "others", "others"]
    assert common(label_N, "c", TYPES).tolist() == ["", "", ""]
    with pytest.raises(DataError, match="'A' is no label of a cell; .*alpha, beta"):
        common(label_N, "b", TYPES)
    with pytest.raises(DataError, match="'alpha' means two types"):
        common(label_N, "a", {**TYPES, "again": {"a": ("alpha",)}})


def test_cells_of_two_data_sets_share_types_and_genes(stores: Stores) -> None:
    data = integrate.Data.read("mix", both(), stores)
    assert set(data.type_N) == {"first", "others"}
    assert set(data.batch_N) == {"a", "b"}
    assert data.x_NG[:, 30:].nnz == 0  # genes that b never measured, in a's cells too
    labels = data.cells.column("label")
    assert "odd" not in labels
    assert set(labels[data.type_N == "first"]) == {"alpha", "A"}
    assert {*data.cells.column("condition")[data.batch_N == "a"]} == {"CTRL"}
    position = 3
    row = data.cells.rows(np.array([position])).toarray()[0]
    total = data.cells.total_N[position]
    assert data.x_NG[position].toarray()[0] == pytest.approx(np.log1p(row * 1e4 / total), rel=1e-5)


def test_fewer_cells_are_some_of_the_more_and_rare_types_are_out(stores: Stores) -> None:
    more, fewer = (integrate.Data.read("mix", mixture(max_cells=n), stores) for n in (120, 60))
    assert set(fewer.cells.ids) < set(more.cells.ids)
    assert len(fewer.cells.ids) == 60 and more.hash != fewer.hash
    counts = {name: (more.type_N == name).sum() for name in set(more.type_N)}
    rare = min(counts, key=counts.__getitem__)
    cut = integrate.Data.read("mix", mixture(max_cells=120, min_cells=counts[rare] + 1), stores)
    assert set(cut.type_N) == set(more.type_N) - {rare}


def test_batches_that_are_not_known_are_refused(stores: Stores) -> None:
    with pytest.raises(DataError, match="'mix': 0 type among 0 cells of known type and batch"):
        integrate.Data.read("mix", mixture(sources=[{"dataset": "b"}]), stores)
    one = [{"dataset": "a", "where": {"donor": ["d0"]}}]
    with pytest.raises(DataError, match="1 batch among"):
        integrate.Data.read("mix", mixture(sources=one), stores)


def test_a_network_goes_on_learning_beside_one_from_scratch(
    trained: model.Trained, data: integrate.Data
) -> None:
    arms = [
        *integrate.continued(trained, data, further()), integrate.frozen(trained, NETWORK, data),
    ]  # fmt: skip
    named = [(arm.method, arm.corpus, arm.init, arm.mode) for arm in arms]
    assert named == [
        ("mae", "c", "pretrained", "fine-tuned"),
        ("scratch", "none", "random", "fine-tuned"),
        ("mae", "c", "pretrained", "frozen"),
    ]
    tuned, scratch, frozen = (arm.z_ND for arm in arms)
    assert not np.allclose(tuned, frozen, atol=1e-3)
    assert not np.allclose(tuned, scratch, atol=1e-3)
    (again,) = integrate.continued(trained, data, further(scratch=False))
    assert np.array_equal(again.z_ND, tuned)
    assert arms[0].n_train > 100 and arms[2].n_train == 0


def test_training_on_begins_where_pre_training_ended(
    trained: model.Trained, data: integrate.Data
) -> None:
    """A step too small to move anything leaves the frozen code."""
    about = dict(trained.about)
    about["spec"] = {**about["spec"], "training": {**about["spec"]["training"], "lr": 1e-7}}
    still = dataclasses.replace(trained, about=about)
    begun = next(integrate.continued(still, data, further(steps=1)))
    frozen = integrate.frozen(trained, NETWORK, data)
    assert begun.z_ND == pytest.approx(frozen.z_ND, abs=1e-3)


def test_a_frozen_networks_job_scores_each_mixture(
    trained: model.Trained, data: integrate.Data, stores: Stores
) -> None:
    asked = FrozenSpec(
        study="t", protocol="intended", corpus="c", method="mae", seed=0, network=NETWORK,
        readouts=["knn1"], integrate={"mix": mixture()},
    )  # fmt: skip
    ((scores, predictions),) = evaluate.frozen(asked, trained, stores, [], {}, "run").frames
    arm = integrate.frozen(trained, NETWORK, data)
    assert scores.equals(integrate.score(asked, data, [arm], "run")[0])
    assert set(scores.method) == {"mae"} and predictions.empty


def test_no_arm_but_the_perfect_one_depends_on_types(
    trained: model.Trained, data: integrate.Data
) -> None:
    mixed = np.random.default_rng(0).permutation(data.type_N)
    other = dataclasses.replace(data, type_N=mixed)
    asked = spec(rivals=["pca", "random_encoder", "random_embedding", "batch_only", "perfect"])
    every = [
        [
            *rivals.rivals(asked, cells), *integrate.continued(trained, cells, further()),
            integrate.frozen(trained, NETWORK, cells),
        ]
        for cells in (data, other)
    ]  # fmt: skip
    for before, after in zip(*every, strict=True):
        same = np.array_equal(before.z_ND, after.z_ND)
        assert same == (before.method != "perfect"), before.method


def test_other_genes_are_refused(trained: model.Trained, data: integrate.Data) -> None:
    foreign = dataclasses.replace(trained, gene_ids=["x", *trained.gene_ids[1:]])
    with pytest.raises(StoreError, match="genes differ"):
        integrate.frozen(foreign, NETWORK, data)


def test_an_unknown_rival_is_refused(data: integrate.Data) -> None:
    with pytest.raises(ConfigError, match="unknown rival 'harmoni'"):
        list(rivals.rivals(spec(rivals=["harmoni"]), data))


def test_a_rival_that_is_not_installed_is_left_out_with_a_message(
    data: integrate.Data, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(extras.RIVALS, "scvi", ("no_such_module", "scvi"))
    with caplog.at_level(logging.WARNING, "selfcell"):
        arms = list(rivals.rivals(spec(rivals=["scvi", "pca"]), data))
    assert [arm.method for arm in arms] == ["pca"]
    assert "scvi: left out, for no_such_module is not installed" in caplog.text
    assert "'.[scvi]'" in caplog.text


def test_rows_keep_the_contract_and_harmony_mixes_batches(
    trained: model.Trained, data: integrate.Data
) -> None:
    for name in ("scib_metrics", "harmonypy"):
        pytest.importorskip(name, reason="pip install -e '.[integration]'", exc_type=ImportError)
    shifted = data.x_NG.toarray()
    shifted[data.batch_N == "d0", :10] += 2.0
    moved = dataclasses.replace(data, x_NG=type(data.x_NG)(shifted), before_ND=shifted)
    flat = integrate.Arm("flat", "none", "random", "baseline", 0, np.ones_like(data.before_ND))
    asked = spec(rivals=["pca", "harmony", "batch_only", "perfect"])
    arms = [*rivals.rivals(asked, moved), integrate.frozen(trained, NETWORK, data), flat]
    scores, predictions = integrate.score(asked, moved, arms, "run")
    table.validate(scores)
    assert predictions.empty
    assert set(scores.task) == {"integrate"}
    assert set(scores.metric) == set(metrics.METRICS)
    assert set(scores.status[scores.method == "flat"]) == {"collapsed"}
    value = scores.pivot(index="method", columns="metric", values="value")
    assert value.ilisi["harmony"] > value.ilisi["pca"] + 0.1
    for name in metrics.BATCH:
        assert value[name]["perfect"] > value[name]["batch_only"], name
    for name in metrics.BIO:
        assert value[name]["perfect"] > value[name]["pca"], name
    assert value.total["perfect"] == value.total.max()


def test_a_spec_survives_its_json() -> None:
    asked = spec(cells=both())
    assert IntegrateSpec.from_json(asked.to_json()) == asked
    assert ContinuedSpec.from_json(further().to_json()) == further()


def test_scvi_is_given_counts_and_batches(
    data: integrate.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a stand-in for the library, which too few have installed."""
    given: dict[str, Any] = {}

    class SCVI:
        def __init__(self, cells: Any, n_latent: int) -> None:
            given.update(cells=cells, n_latent=n_latent)

        @staticmethod
        def setup_anndata(cells: Any, batch_key: str) -> None:
            given["batches"] = cells.obs[batch_key].tolist()

        def train(self, **options: Any) -> None:
            given["trained"] = options

        def get_latent_representation(self) -> np.ndarray:
            return given["cells"].X.toarray()[:, : given["n_latent"]]

    settings = SimpleNamespace(seed=None)
    fake = SimpleNamespace(settings=settings, model=SimpleNamespace(SCVI=SCVI))
    monkeypatch.setitem(sys.modules, "scvi", fake)
    (arm,) = rivals.scvi(spec(), data)
    assert (arm.method, arm.init, arm.seed) == ("scvi", "random", 0)
    assert given["batches"] == data.batch_N.tolist()
    assert (given["cells"].X.data % 1 == 0).all() and arm.z_ND.shape == (len(data.type_N), 8)
    assert given["trained"]["accelerator"] == "cpu" and settings.seed is not None
