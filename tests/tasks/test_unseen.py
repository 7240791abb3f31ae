"""From one small store to the cells of another, with genes removed or their names mixed up."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from selfcell import job
from selfcell.baselines import unseen as rivals
from selfcell.data.specs import CorpusSource, LabelSpec
from selfcell.errors import ConfigError, DataError
from selfcell.specs import Afar, FrozenSpec, Network, UnseenSpec
from selfcell.stats import table
from selfcell.tasks import evaluate, model, unseen
from selfcell.tasks.unseen import KINDS, Level
from tests.baselines.made import equal, fits, seen_by
from tests.data import factory
from tests.tree import REPO

NETWORK = Network(hidden=[16, 8], activation="selu", dropout=0.1)
NAMES = {"alpha": "A", "beta": "B", "delta": "D"}
TYPES = {name: {"a": (name,), "b": (NAMES[name],)} for name in NAMES}
SHARES = [0.25, 0.5, 0.75]


def afar(**changes: Any) -> Afar:
    fields: dict[str, Any] = {
        "reference": CorpusSource(dataset="a", where={"condition": ("CTRL",)}), "query": "b",
        "types": TYPES, "shares": SHARES, "max_cells": 1000, "readouts": ["probe", "prototype"],
        "labels": LabelSpec(regimes=(10,), draws=2, min_test=5),
    }  # fmt: skip
    return Afar(**{**fields, **changes})


FROZEN = FrozenSpec(
    study="t", protocol="intended", corpus="c", method="mae", seed=0, network=NETWORK,
    readouts=["knn1"], unseen={"a_to_b": afar()},
)  # fmt: skip


def spec(**changes: Any) -> UnseenSpec:
    fields: dict[str, Any] = {
        "study": "t", "protocol": "intended", "target": "a_to_b", "cells": afar(),
        "rivals": list(rivals.RIVALS), "network": NETWORK, "seeds": [0, 1],
    }  # fmt: skip
    return UnseenSpec(**{**fields, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    """Both stores, and the split of the query's target: half of b's donors are tested."""
    root = tmp_path_factory.mktemp("unseen")
    first = factory.make_cells("a", n=240)
    second = factory.make_cells("b", n=160, genes=range(36))
    second.obs["label"] = second.obs["label"].map(NAMES)
    stores = {
        name: factory.make_store(root, own, name) for name, own in (("a", first), ("b", second))
    }
    return stores, factory.split_of(second, target="b", dataset="b")


@pytest.fixture(scope="module")
def data(made) -> unseen.Data:
    stores, split = made
    return unseen.Data.read("a_to_b", afar(), stores, split)


@pytest.fixture(scope="module")
def scores(data: unseen.Data) -> pd.DataFrame:
    frames = [rows.frames()[0] for rows in rivals.rivals(spec(), data, "run")]
    return pd.concat(frames, ignore_index=True)


def encoder(data: unseen.Data) -> model.Trained:
    """A network with random weights, in the place of a pre-trained one."""
    net = model.new_encoder(len(data.store.gene_ids), NETWORK, 0).eval()
    return model.Trained(net, None, data.store.gene_ids, "ok", {})


def test_the_query_is_the_targets_test_cells_and_types_meet(made, data: unseen.Data) -> None:
    stores, split = made
    assert len(data.truth.test_N) == len(split["test"])
    assert data.truth.classes == ["alpha", "beta", "delta"]
    told = [data.truth.classes[code] for code in data.truth.test_N]
    assert [NAMES[name] for name in told] == split["test_labels"]
    assert data.x_PG.shape[0] == (stores["a"].obs.condition == "CTRL").sum()
    assert data.shared_G.sum() == 36 and data.known == 40
    assert data.x_PG[:, 36:].nnz == 0  # genes that the query's data set lacks


def test_a_type_without_a_common_name_is_left_out(made) -> None:
    stores, split = made
    fewer = {name: by for name, by in TYPES.items() if name != "beta"}
    data = unseen.Data.read("a_to_b", afar(types=fewer), stores, split)
    assert data.truth.classes == ["alpha", "delta"]
    assert len(data.truth.test_N) == sum(label != "B" for label in split["test_labels"])
    with pytest.raises(DataError, match="'Z' is no label of a cell"):
        unseen.Data.read("a_to_b", afar(types={"alpha": {"b": ("Z",)}}), stores, split)


def test_removed_genes_leave_counts_and_totals(data: unseen.Data) -> None:
    view = data.view(Level("removed", 0.5), 0)
    gone_G = data.shared_G & ~view.left_G
    assert gone_G.sum() == 18
    count_NG = data.counts_NG.toarray()
    total_N = data.total_N - count_NG[:, gone_G].sum(1)
    expected = np.log1p(np.where(gone_G, 0, count_NG) * 1e4 / total_N[:, None])
    assert view.x_NG.toarray() == pytest.approx(expected, rel=1e-5)


def test_renamed_genes_have_anothers_counts(data: unseen.Data) -> None:
    whole, view = data.view(Level(), 0), data.view(Level("renamed", 0.5), 0)
    before, after = whole.x_NG.toarray(), view.x_NG.toarray()
    left_G, gone_G = view.left_G, data.shared_G & ~view.left_G
    assert np.array_equal(before[:, left_G], after[:, left_G])
    assert np.sort(after[:, gone_G], axis=1) == pytest.approx(np.sort(before[:, gone_G], axis=1))
    same = [np.array_equal(before[:, gene], after[:, gene]) for gene in np.flatnonzero(gone_G)]
    assert not any(same)
    assert view.x_NG.has_sorted_indices and whole.left_G.sum() == 36


def test_a_larger_share_holds_the_smaller_and_a_draw_has_its_own(data: unseen.Data) -> None:
    few, many = (data.view(Level("removed", share), 0).left_G for share in (0.25, 0.75))
    assert (few >= many).all() and few.sum() > many.sum()
    assert (data.view(Level("renamed", 0.25), 0).left_G == few).all()
    assert (data.view(Level("removed", 0.25), 1).left_G != few).any()


def test_rows_keep_the_contract(scores: pd.DataFrame, data: unseen.Data) -> None:
    table.validate(scores)
    levels = {f"{kind} {share:g}" for kind in KINDS for share in SHARES}
    assert set(scores.label) == {"", *levels}
    assert set(scores.level[scores.label == ""]) == {"overall"}
    assert set(scores.level[scores.label != ""]) == {"genes"}
    assert set(scores.seed[scores.method == "random_encoder"]) == {0, 1}
    shared = scores[scores.metric == "genes_shared"].groupby("label").value.agg(["min", "max"])
    assert (shared["min"] == shared["max"]).all()
    assert shared["min"][""] == 36 / 40 and shared["min"]["removed 0.5"] == 18 / 40


@pytest.mark.parametrize("metric", ["macro_f1", "macro_f1_union", "micro_f1", "balanced_accuracy"])
def test_controls_bound_every_metric_at_every_level(scores: pd.DataFrame, metric: str) -> None:
    rows = scores[scores.metric == metric]
    value = rows.groupby(["label", "method"]).value.mean().unstack()
    assert (value.perfect == 1.0).all()
    assert (value.drop(columns="perfect").max(axis=1) < 1.0 + 1e-9).all()
    assert (value.logreg_shared > value[["permuted", "majority"]].max(axis=1) + 0.1).all()
    assert (value.majority <= value.permuted).all() or metric in ("micro_f1", "balanced_accuracy")


def test_fewer_genes_hurt_and_knowing_which_helps(scores: pd.DataFrame) -> None:
    rows = scores[(scores.metric == "macro_f1") & (scores.readout == "none")]
    value = rows.groupby(["method", "label"]).value.mean().unstack()
    assert value.loc["logreg", ""] == value.loc["logreg_shared", ""]
    assert value.loc["logreg", "renamed 0.75"] < value.loc["logreg", ""] - 0.1
    assert value.loc["logreg_shared", "renamed 0.75"] > value.loc["logreg", "renamed 0.75"] + 0.1


def test_nothing_is_fitted_on_the_query(data: unseen.Data, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, chosen = fits(monkeypatch), seen_by(monkeypatch, rivals, "most_variable")
    list(rivals.rivals(spec(), data, "run"))
    assert [equal(x_PG, data.x_PG) for x_PG in fitted] == [True]
    known = data.x_PG.toarray()
    assert len(chosen) > 1
    for x_PG in (x_PG.toarray() for x_PG in chosen):  # the reference's, less genes that are gone
        assert x_PG.shape == known.shape
        assert ((x_PG == known) | (x_PG == 0)).all()


def test_a_frozen_network_is_scored_by_its_readouts(data: unseen.Data) -> None:
    found = unseen.frozen(FROZEN, encoder(data), data, "run").frames()[0]
    table.validate(found)
    assert set(found.readout) == {"probe", "prototype"}
    assert set(found.corpus) == {"c"} and set(found.n_labels) == {30}
    again = unseen.frozen(FROZEN, encoder(data), data, "run").frames()[0]
    assert found.equals(again)


def test_a_frozen_networks_job_reads_the_query_of_each_unseen_target(
    made, data: unseen.Data
) -> None:
    stores, split = made
    found = evaluate.frozen(FROZEN, encoder(data), stores, [], {"a_to_b": split}, "run")
    ((scores, _),) = found.frames
    assert scores.equals(unseen.frozen(FROZEN, encoder(data), data, "run").frames()[0])


def test_a_collapsed_code_has_rows_without_values(data: unseen.Data) -> None:
    keys = {
        "study": "t", "protocol": "intended", "corpus": "c", "method": "flat", "run_hash": "run",
        "init": "pretrained", "seed": 0, "mode": "frozen",
    }  # fmt: skip
    rows = unseen.Rows(keys, data)
    rows.code(SHARES, ["probe"], lambda x: np.ones((x.shape[0], 4), np.float32))
    found = rows.frames()[0]
    table.validate(found)
    assert set(found.status) == {"collapsed"} and found.value.isna().all()


@pytest.mark.parametrize("name", ["pca", "logreg", "logreg_shared", "random_encoder", "majority"])
def test_no_prediction_depends_on_the_querys_types(data: unseen.Data, name: str) -> None:
    """With every cell of the query called by one type, accuracy is the share predicted as that
    type; over all types these shares make 1."""
    shares = []
    for code in range(3):
        test_N = np.full_like(data.truth.test_N, code)
        blind = dataclasses.replace(data, truth=dataclasses.replace(data.truth, test_N=test_N))
        rows = next(rivals.rivals(spec(rivals=[name], seeds=[0]), blind, "run")).frames()[0]
        shares.append(rows[rows.metric == "micro_f1"].value.to_numpy())
    assert np.sum(shares, axis=0) == pytest.approx(1.0)


def test_the_script_writes_a_run(made, data: unseen.Data, tmp_path: Path) -> None:
    stores, split = made
    job.write_json(split, tmp_path / "split.json")
    asked = spec(rivals=["majority", "logreg"])
    command = [sys.executable, str(REPO / "workflow/scripts/unseen.py"), "--spec", asked.to_json()]
    command += ["--split", str(tmp_path / "split.json"), "--out", str(tmp_path / "run")]
    for name, store in stores.items():
        command += ["--store", f"{name}={store.path}"]
    environment = {**os.environ, "PYTHONPATH": str(REPO / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = table.read(tmp_path / "run/scores.parquet")
    assert set(rows.method) == {"majority", "logreg"}
    assert json.loads((tmp_path / "run/card.json").read_text())["inputs"]["split"] == split["hash"]


def test_an_unknown_rival_is_refused(data: unseen.Data) -> None:
    with pytest.raises(ConfigError, match="unknown rival 'logrek'"):
        next(rivals.rivals(spec(rivals=["logrek"]), data, "run"))


def test_a_spec_survives_its_json() -> None:
    assert UnseenSpec.from_json(spec().to_json()) == spec()
