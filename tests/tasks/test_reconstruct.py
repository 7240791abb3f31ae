"""Reconstruction on a small store: who is scored on what, and that copying gains nothing."""

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
from scipy.stats import nbinom
from sklearn.metrics import explained_variance_score

from selfcell.baselines.reconstruct import rivals
from selfcell.data.store import Store
from selfcell.data.writer import write_store
from selfcell.keys import generator
from selfcell.losses.nb import expected_log1p
from selfcell.metrics.reconstruct import BATCHED, METRICS, Sums
from selfcell.specs import BaselineSpec, FrozenSpec, Training
from selfcell.stats import by_gene, table
from selfcell.tasks import model, reconstruct
from tests.baselines.made import equal, fits
from tests.data import factory
from tests.tasks import divided
from tests.tasks.divided import NETWORK, THINNING, Made, trained


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return divided.store(tmp_path_factory.mktemp("reconstruct"))


@pytest.fixture(scope="module", params=["mse", "nb"])
def network(request: pytest.FixtureRequest, made: Made) -> model.Trained:
    return trained(*made, request.param)


def frozen_spec(**changes: Any) -> FrozenSpec:
    fields: dict[str, Any] = {
        "study": "t", "protocol": "intended", "corpus": "all", "method": "mae", "seed": 0,
        "network": NETWORK, "readouts": ["probe"], "reconstruction": THINNING,
    }  # fmt: skip
    return FrozenSpec(**{**fields, **changes})


def baseline_spec(seeds: tuple[int, ...] = (0,)) -> BaselineSpec:
    return BaselineSpec(
        study="t", protocol="intended", target="a", corpora=[], baselines=["pca"],
        readouts=["probe"], network=NETWORK, training=Training(), seeds=list(seeds),
        reconstruction=THINNING,
    )  # fmt: skip


def noise_store(root: Path) -> Made:
    """Cells that differ by Poisson noise alone: there is nothing to reconstruct."""
    cells = factory.make_cells(n=400)
    counts = generator("noise").poisson(5.0, size=cells.shape).astype(np.float32)
    noise = AnnData(sparse.csr_matrix(counts), obs=cells.obs, var=cells.var)
    noise.obs["total_counts"] = 10_000
    write_store(noise, factory.vocabulary(range(40)), root / "noise")
    return root, Store.open(root / "noise"), factory.split_of(noise, target="a")


def value(frames: list[Any], metric: str = "ev_weighted", **wanted: Any) -> float:
    rows = np.concatenate(
        [
            f.loc[(f.metric == metric) & (f[list(wanted)] == wanted).all(axis=1), "value"]
            for f in frames
        ]
    )
    assert len(rows)
    return float(rows.mean())


def test_rows_keep_the_contract_for_both_heads(made: Made, network: model.Trained) -> None:
    _, store, split = made
    rows = reconstruct.frozen(frozen_spec(), network, store, split, "run")
    scores, predictions = rows.frames()
    table.validate(scores)
    assert predictions.empty
    assert network.decoder is not None
    own = network.decoder.readout
    assert own == ("decoder_nb" if "log_dispersion_G" in network.weights else "decoder")
    assert set(scores.readout) == {"ridge", own}
    assert len(scores) == 2 * 2 * len(METRICS | BATCHED)
    assert set(scores.n_test) == {len(split["test"])}
    assert set(scores.n_train[scores.readout == "ridge"]) == {len(split["pool"])}
    assert set(scores.n_train[scores.readout == own]) == {0}
    assert value([scores], readout="ridge") > 0.05


def test_the_decoder_is_scored_as_the_definition_reads(made: Made, network: model.Trained) -> None:
    """All cells at once, in float64: encode the seen half, decode, compare with the other half."""
    _, store, split = made
    scores, _ = reconstruct.frozen(frozen_spec(), network, store, split, "run").frames()
    data = reconstruct.Molecules.read(store, split, THINNING, 1)
    assert network.decoder is not None
    with torch.no_grad():
        y_NG = network.decoder.net(network.encoder(torch.tensor(data.test.seen_NG.toarray())))
    if (log_dispersion_G := network.decoder.log_dispersion_G) is not None:
        depth_N1 = torch.tensor(data.test.seen_N)[:, None] / 1e4
        mean_NG, dispersion_G = y_NG.double().exp() * depth_N1, log_dispersion_G.double().exp()
        y_NG = expected_log1p(mean_NG, dispersion_G, 1 / depth_N1)
    measured_G = store.measured_G
    truth_NG = data.test.hidden_NG.toarray()[:, measured_G].astype(np.float64)
    error_NG = truth_NG - y_NG.double().numpy()[:, measured_G]
    expected = 1 - error_NG.var(0).sum() / truth_NG.var(0).sum()
    assert value([scores], readout=network.decoder.readout, draw=1) == pytest.approx(
        expected, abs=1e-5
    )


def test_batches_are_scored_as_the_released_code_did(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of the input in batches of ten cells, by scikit-learn; the bound has no prediction."""
    monkeypatch.setattr(reconstruct, "CHUNK", 10)
    _, store, split = made
    frames = [rows.frames()[0] for rows in rivals(baseline_spec(), store, split, "run")]
    data = reconstruct.Molecules.read(store, split, THINNING, 1)
    seen_NS, hidden_NS = (
        half.toarray()[:, data.scored_G].astype(float)
        for half in (data.test.seen_NG, data.test.hidden_NG)
    )
    parts = [slice(start, start + 10) for start in range(0, data.n_test, 10)]
    expected = np.mean(
        [
            explained_variance_score(hidden_NS[p], seen_NS[p], multioutput="variance_weighted")
            for p in parts
        ]
    )
    found = value(frames, "ev_weighted_batches", method="copy_input", draw=1)
    assert found == pytest.approx(expected, abs=1e-5)
    assert abs(found - value(frames, method="copy_input", draw=1)) > 1e-4
    ceiling = pd.concat(frames).query("method == 'ceiling'")
    assert set(ceiling.metric) == set(METRICS)


def test_only_measured_genes_are_scored(made: Made, network: model.Trained) -> None:
    _, store, split = made
    genes = reconstruct.frozen(frozen_spec(), network, store, split, "run").genes()
    measured = set(np.array(store.gene_ids)[store.measured_G])
    assert set(genes.gene_id) <= measured < set(store.gene_ids)


def test_a_gene_that_the_decoder_never_learned_is_not_explained(made: Made) -> None:
    root, store, split = made
    plain = trained(root, store, split, "mse")
    assert plain.decoder is not None
    never = plain.decoder.decoded_G.copy()
    assert not never[~store.measured_G].any()
    never[:10] = False
    half = dataclasses.replace(plain.decoder, decoded_G=never)
    data = reconstruct.Molecules.read(store, split, THINNING, 0)
    codes = reconstruct.embed(plain.encoder, data.test.seen_NG)
    sums = data.decoder(half, codes)
    learned_S = never[data.scored_G]
    assert sums.explained_G[~learned_S] == pytest.approx(0, abs=1e-6)
    assert sums.explained_G[learned_S].mean() > 0
    assert sums.spread_G[learned_S] == pytest.approx(
        data.decoder(plain.decoder, codes).spread_G[learned_S]
    )


def test_the_negative_binomial_head_predicts_in_the_units_that_are_scored(made: Made) -> None:
    """The mean of log1p of counts per 10,000 that it draws, for hand-set means at two depths."""
    root, store, split = made
    decoder = trained(root, store, split, "nb").decoder
    assert decoder is not None and decoder.log_dispersion_G is not None
    for layer in decoder.net.layers:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.nn.init.constant_(decoder.net.layers[-1].bias, float(np.log(20.0)))  # per 10,000
    log_dispersion_G = torch.zeros_like(decoder.log_dispersion_G)
    flat = dataclasses.replace(decoder, log_dispersion_G=log_dispersion_G)
    shallow, deep = flat(torch.zeros(2, 8), torch.tensor([500.0, 10_000.0]))[:, 0].tolist()
    k = np.arange(2000)
    for total, found in ((500, shallow), (10_000, deep)):
        drawn = nbinom.pmf(k, 1.0, 1 / (1 + 20 * total / 1e4)) @ np.log1p(k * 1e4 / total)
        assert found == pytest.approx(drawn, abs=0.01)
    assert shallow < deep - 0.5 < np.log1p(20) - 0.5


def test_copying_the_input_gains_nothing_where_there_is_only_noise(tmp_path: Path) -> None:
    """Scored on what it copied it would be perfect; on the other half it is worse than the mean,
    which on noise nothing can beat."""
    _, store, split = noise_store(tmp_path)
    data = reconstruct.Molecules.read(store, split, THINNING, 0)
    seen_NS = data.test.seen_NG.toarray()[:, data.scored_G]
    assert Sums.of(seen_NS, seen_NS).values()["ev_weighted"] == 1.0
    copied = data.sums(lambda rows: seen_NS[rows]).values()
    assert copied["ev_weighted"] == pytest.approx(-1.0, abs=0.1)
    assert copied["ev_uniform"] < -0.8
    assert data.ridge(data.pool.seen_NG.toarray(), data.test.seen_NG.toarray()).values()[
        "ev_weighted"
    ] == pytest.approx(0, abs=0.05)
    frames = [rows.frames()[0] for rows in rivals(baseline_spec(), store, split, "run")]
    assert value(frames, method="ceiling") == pytest.approx(0, abs=0.05)
    assert value(frames, method="pca", readout="ridge") < 0.05


def test_rivals_stand_between_the_mean_and_the_ceiling(made: Made) -> None:
    _, store, split = made
    every = list(rivals(baseline_spec((0, 1)), store, split, "run"))
    frames = [rows.frames()[0] for rows in every]
    for frame in frames:
        table.validate(frame)
    assert value(frames, method="gene_mean") == pytest.approx(0, abs=1e-6)
    ceiling = value(frames, method="ceiling")
    for readout in ("decoder", "ridge"):
        assert 0.1 < value(frames, method="pca", readout=readout) < ceiling + 0.02
    assert value(frames, method="random_encoder", seed=1) < ceiling
    assert value(frames, method="random_embedding", seed=1) < 0.05
    assert value(frames, method="permuted") < 0
    assert value(frames, "mse", method="ceiling") < value(frames, "mse", method="gene_mean")


def test_components_are_of_the_pool_alone(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    _, store, split = made
    fitted = fits(monkeypatch)
    list(rivals(baseline_spec(), store, split, "run"))
    pools = [reconstruct.Molecules.read(store, split, THINNING, draw).pool for draw in range(2)]
    assert [equal(x_PG, pool.seen_NG) for x_PG, pool in zip(fitted, pools, strict=True)] == [
        True
    ] * 2


def test_every_job_divides_the_molecules_alike_and_each_draw_anew(made: Made) -> None:
    _, store, split = made
    first, again, other = (
        reconstruct.Molecules.read(store, split, THINNING, draw).test.seen_NG for draw in (0, 0, 1)
    )
    assert (first != again).nnz == 0
    assert (first != other).nnz > 0


def test_fewer_cells_are_a_part_of_more(made: Made) -> None:
    ids = [f"a:cell{i}" for i in range(100)]
    few, more = (reconstruct.fewest_hash(ids, n) for n in (10, 30))
    assert len(few) == 10
    assert set(few) < set(more)
    assert more == [cell for cell in ids if cell in set(more)]
    assert set(reconstruct.fewest_hash(ids[::-1], 10)) == set(few)


def test_a_collapsed_model_has_rows_without_values(made: Made) -> None:
    root, store, split = made
    network = trained(root, store, split, "mse")
    for layer in network.encoder.layers:
        torch.nn.init.zeros_(layer.weight)
    rows = reconstruct.frozen(frozen_spec(), network, store, split, "run")
    scores, _ = rows.frames()
    table.validate(scores)
    assert set(scores.status) == {"collapsed"}
    assert scores.value.isna().all()
    assert rows.genes().empty


def test_a_study_in_which_nothing_was_scored_has_empty_tables(tmp_path: Path) -> None:
    reconstruct.no_genes().to_parquet(tmp_path / "genes.parquet")
    genes = by_gene.genes([tmp_path / "genes.parquet"], {})
    assert list(genes.columns) == by_gene.GENES
    assert genes.empty
    assert by_gene.programmes(genes, {"own": ["S1"]}).empty


def test_programmes_weigh_their_genes_by_variance(made: Made, tmp_path: Path) -> None:
    """By hand from the table by gene; programmes of fewer than 5 scored genes are left out."""
    root, store, split = made
    rows = reconstruct.frozen(
        frozen_spec(), trained(root, store, split, "mse"), store, split, "run"
    )
    rows.genes().to_parquet(tmp_path / "genes.parquet")
    symbols = dict(zip(store.gene_ids, store.symbols, strict=True))
    genes = by_gene.genes([tmp_path / "genes.parquet"], symbols)
    assert set(genes.n_runs) == {2}
    sets = {"own": [f"S{i}" for i in range(7)], "few": ["S1", "S2", "S3", "S4"]}
    found = by_gene.programmes(genes, sets)
    assert set(found.programme) == {"own"}
    row = found[found.readout == "ridge"].iloc[0]
    own = genes[(genes.readout == "ridge") & genes.symbol.isin(sets["own"])]
    left = (own.variance * (1 - own.explained)).sum()
    assert row.explained == pytest.approx(1 - left / own.variance.sum(), rel=1e-5)
    assert row.n_genes == 7
    assert by_gene.programmes(genes, {}).empty
