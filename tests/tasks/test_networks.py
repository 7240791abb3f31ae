"""Pre-training, the model folder, fine-tuning and tuning, on a small store."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from selfcell.data.corpus import Corpus
from selfcell.data.specs import CorpusSpec
from selfcell.errors import StoreError
from selfcell.methods import masked
from selfcell.specs import FineTuneSpec, FrozenSpec, Network, PretrainSpec, Training
from selfcell.stats import table
from selfcell.tasks import annotate, model, tune
from selfcell.tasks import pretrain as pretraining
from selfcell.tasks.finetune import Labelled, class_weights, hold_out
from selfcell.tasks.pretrain import pretrain, steps_between_looks
from selfcell.train.checkpoint import StateFile
from tests.data import factory

NETWORK = Network(hidden=[16, 8], activation="selu", dropout=0.1)
CORPUS = CorpusSpec(name="all", sources=({"dataset": "a"},), targets=("a",))


def pretrain_spec(**changes):
    training = Training(steps=60, batch=16, lr=3e-3, precision="float32", **changes)
    return PretrainSpec(
        study="t", protocol="intended", corpus=CORPUS, method="mae", task="random_mask",
        params={"rate": 0.3}, network=NETWORK, training=training, seed=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Store, split, corpus and a pre-trained model folder."""
    root = tmp_path_factory.mktemp("study")
    cells = factory.make_cells(n=200)
    store = factory.make_store(root, cells)
    split = factory.split_of(cells, target="a")
    corpus = Corpus.build(CORPUS, {"a": store}, {"a": split})
    result = pretrain(pretrain_spec(), corpus, {})
    notes = {"run_hash": "abc"}
    model.save(root / "m", result.method, pretrain_spec(), corpus.genes, result.health, notes)
    return root, store, split, corpus, result


def finetune_spec(regimes, **changes):
    fields = {
        "study": "t", "protocol": "intended", "target": "a", "corpus": "all", "method": "mae",
        "seed": 0, "regimes": regimes, "batch": 16, "weight_decay": 0.01, "clip": 1.0,
        "precision": "float32", "network": NETWORK,
    }  # fmt: skip
    return FineTuneSpec(**{**fields, **changes})


FEW = {"labels": "3", "draws": 2, "lr": 1e-3, "steps": 30}
ALL = {"labels": "all", "draws": 1, "lr": 3e-3, "steps": 200}


def test_pretraining_learns_and_says_so(study):
    *_, result = study
    assert result.failure == ""
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert {"skill", "gate", "rank", "spread", "difficulty", "step", "lr"} <= set(result.history[0])
    assert result.health.status in ("ok", "not_learned")


def test_looks_come_at_the_end_of_each_epoch_and_of_the_run(study):
    *_, corpus, result = study
    every = steps_between_looks(60, len(corpus.train_N) / 16)
    epoch = len(corpus.train_N) / 16
    parts = epoch / every
    assert parts == round(parts) >= 1  # so that each epoch ends with a look
    steps = [row["step"] for row in result.history]
    ends = [math.ceil(k * epoch) for k in range(1, int(60 / epoch) + 1)]
    assert set(ends) <= set(steps) and steps[-1] == 60


@pytest.mark.parametrize(
    ("steps", "epoch", "epochs_apart"),
    [
        (400, 24.0, 1),  # the default study
        (400, 23.6, 1),
        (10_000, 5.0, 20),  # 2,000 epochs
        (10**6, 1.0, 10_000),  # a million epochs: 100 looks
        (10**8, 100.0, 10_000),
        (400, 10.0, 2),  # epochs shorter than 20 steps
        (80, 3.2, 3),  # ... but a short run still has its looks
        (400, 100.0, 0.5),  # four epochs: each in two parts
        (400, 4000.0, 0.0125),
        (3, 1.5, 0.25),
    ],
)
def test_when_a_run_is_looked_at(steps, epoch, epochs_apart):
    every = steps_between_looks(steps, epoch)
    assert every / epoch == pytest.approx(epochs_apart)
    assert 8 <= steps / every <= 100


def test_looks_see_few_cells_and_the_gate_many(study, monkeypatch):
    *_, corpus, _ = study
    seen = []
    health = masked.Masked.health
    monkeypatch.setattr(pretraining, "WATCHED", 3)
    monkeypatch.setattr(pretraining, "GATED", 5)
    monkeypatch.setattr(
        masked.Masked, "health", lambda self, cells: seen.append(cells) or health(self, cells)
    )
    result = pretrain(pretrain_spec(), corpus, {})
    assert [len(cells.x_BG) for cells in seen] == [3] * len(result.history) + [5]
    first, *others = seen[:-1]
    assert all(torch.equal(cells.x_BG, first.x_BG) for cells in others)
    assert {cells.noise.step for cells in seen} == {0}
    ends = corpus.cells.key_N[corpus.validation_N[[0, -1]]].tolist()  # not one source's alone
    assert set(ends) <= set(first.noise.cell_B.tolist())


def test_test_cells_are_not_in_the_corpus(study):
    _, _, split, corpus, _ = study
    assert corpus.report["excluded"] == len(split["test"]) + len(split["test_left_out"]) > 0
    assert set(split["test"]).isdisjoint(corpus.cells.ids)


def test_an_interrupted_pretraining_ends_in_the_same_bits(study, tmp_path):
    _, _, _, corpus, whole = study
    state = StateFile(tmp_path / "state", "key")

    class Killed(Exception):
        pass

    import selfcell.tasks.pretrain as module

    original = module.Loader.batch
    try:
        module.Loader.batch = lambda self, step: (
            _raise(Killed) if step == 40 else original(self, step)
        )
        with pytest.raises(Killed):
            pretrain_saving(corpus, state)
    finally:
        module.Loader.batch = original
    assert state.path.exists()
    resumed = pretrain_saving(corpus, state)
    for name, value in whole.method.state_dict().items():
        assert torch.equal(value, resumed.method.state_dict()[name]), name


def _raise(error):
    raise error


def pretrain_saving(corpus, state):
    """Pre-train with the state saved at every logged step."""
    import dataclasses

    import selfcell.tasks.pretrain as module

    plain = module.Plan
    try:
        module.Plan = lambda *a, **k: dataclasses.replace(plain(*a, **k), save_every_s=0.0)
        return pretrain(pretrain_spec(), corpus, {}, state)
    finally:
        module.Plan = plain


def test_a_diverging_run_is_a_result(study):
    _, _, _, corpus, _ = study
    spec = pretrain_spec()
    wild = spec.model_copy(update={"training": Training(steps=60, batch=16, lr=1.0, clip=1e6)})
    result = pretrain(wild.model_copy(update={"params": {"rate": 0.3}}), _exploding(corpus), {})
    assert result.health is None
    assert "step 1" in result.failure


def _exploding(corpus):
    """The corpus with one gene's mean made infinite in every batch."""
    import dataclasses

    from selfcell.data.cells import MemoryCells

    rows = corpus.cells.rows(np.arange(len(corpus.cells.total_N)))
    rows.data[:] = np.inf
    cells = MemoryCells(rows, corpus.cells.total_N, corpus.cells.key_N)
    return dataclasses.replace(corpus, cells=cells)


def test_a_model_folder_reads_back_the_same(study):
    root, store, split, _, result = study
    trained = model.load(root / "m")
    x = annotate.Data.read(store, split).x_NG
    assert torch.equal(model.embed(trained.encoder, x), model.embed(result.method.encoder, x))
    assert trained.status == result.health.status
    assert trained.gene_ids == store.gene_ids


@pytest.mark.parametrize("damage", ["weights", "json", "format", "network"])
def test_damaged_models_are_refused(study, tmp_path, damage):
    import shutil

    folder = tmp_path / "m"
    shutil.copytree(study[0] / "m", folder)
    about = json.loads((folder / "model.json").read_text())
    if damage == "weights":
        whole = (folder / "weights.safetensors").read_bytes()
        (folder / "weights.safetensors").write_bytes(whole[:-50])
    elif damage == "json":
        (folder / "model.json").write_text("{")
    else:
        about["format"] = 99 if damage == "format" else about["format"]
        about["spec"]["network"]["hidden"] = [16, 9] if damage == "network" else [16, 8]
        (folder / "model.json").write_text(json.dumps(about))
    with pytest.raises(StoreError):
        model.load(folder)


def test_a_model_of_other_genes_is_refused(study, tmp_path):
    other = factory.make_store(tmp_path, factory.make_cells(n=60), genes=range(30))
    with pytest.raises(StoreError, match="vocabulary"):
        annotate.require_genes(model.load(study[0] / "m"), other)


def test_embedding_does_not_depend_on_batch_or_order(study):
    root, store, split, _, _ = study
    encoder = model.load(root / "m").encoder
    x = annotate.Data.read(store, split).x_NG
    whole = model.embed(encoder, x)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(model.embed(encoder, x[order]), whole[order], atol=1e-6)
    assert torch.allclose(torch.cat([encoder(row[None]) for row in x]), whole, atol=1e-6)


def test_frozen_rows_keep_the_contract(study):
    root, store, split, _, _ = study
    spec = FrozenSpec(
        study="t", protocol="intended", corpus="all", method="mae", seed=0,
        network=NETWORK, readouts=["probe", "prototype", "knn1"],
    )  # fmt: skip
    scores, predictions = annotate.frozen(
        spec, model.load(root / "m"), annotate.Data.read(store, split), "hash"
    )
    table.validate(scores)
    f1 = scores[scores.metric == "macro_f1"]
    own = f1[f1.protocol == "intended"]
    assert len(own) == len(split["draws"]) * 3 * 3
    assert set(f1[f1.protocol == "published"].readout) == {"knn5_drop"}
    assert "3" not in set(f1[f1.readout == "knn5_drop"].regime)
    assert len(predictions) == len(f1)


def test_weights_are_put_into_the_network_that_the_spec_names(study):
    root, store, split, _, _ = study
    data = annotate.Data.read(store, split)

    def probe(activation):
        spec = FrozenSpec(
            study="t", protocol="intended", corpus="all", method="mae", seed=0,
            network=NETWORK.model_copy(update={"activation": activation}), readouts=["probe"],
        )  # fmt: skip
        return annotate.frozen(spec, model.load(root / "m"), data, "hash")[0].value

    assert not probe("selu").equals(probe("relu"))
    into = model.load(root / "m").put_into(NETWORK.model_copy(update={"dropout": 0.0}))
    assert (into.dropout, into.activation) == (0.0, "selu")


def test_fine_tuning_scores_draws_and_repeats_exactly(study):
    root, store, split, _, _ = study
    data = annotate.Data.read(store, split)
    trained = model.load(root / "m")
    before = {k: v.clone() for k, v in trained.encoder.state_dict().items()}
    spec = finetune_spec([FEW, ALL])
    scores, _ = annotate.fine_tuned(spec, trained.encoder, "ok", "pretrained", data, "h")
    table.validate(scores)
    f1 = scores[(scores.metric == "macro_f1") & (scores.readout == "head")]
    assert f1.groupby("regime").size().to_dict() == {"3": 2, "all": 1}
    assert f1[f1.regime == "all"].value.item() > 0.8  # three types with genes of their own
    code = scores[(scores.metric == "macro_f1") & (scores.readout == "knn5_drop")]
    assert code.protocol.tolist() == ["published"]  # regime "all" alone has labels enough
    assert all(torch.equal(before[k], v) for k, v in trained.encoder.state_dict().items())
    again, _ = annotate.fine_tuned(spec, trained.encoder, "ok", "pretrained", data, "h")
    pd.testing.assert_frame_equal(scores, again)


def test_few_labels_leave_none_for_validation(study, monkeypatch):
    root, store, split, _, _ = study
    trained, data = model.load(root / "m"), annotate.Data.read(store, split)
    seen = []

    def recorded(*args, **options):
        seen.append((args[1].names[1], options["early_stopping"]))

    monkeypatch.setattr(annotate, "fine_tune", recorded)
    spec = finetune_spec([FEW, ALL])
    annotate.fine_tuned(spec, trained.encoder, "ok", "pretrained", data, "h")
    assert set(seen) == {("3", False), ("all", True)}


def test_arms_of_a_draw_share_head_and_order_but_not_weights(study):
    _, store, split, _, _ = study
    data = annotate.Data.read(store, split)
    one, two = (
        annotate.fine_tuned(
            finetune_spec([FEW], method=name, corpus="none", seed=seed),
            model.new_encoder(40, NETWORK, seed), "ok", "random", data, "h",
        )[0].value
        for name, seed in (("scratch", 0), ("other_name", 0))
    )  # fmt: skip
    assert one.tolist() == two.tolist()  # same weights, same draw: the arm's name plays no part


def test_validation_cells_come_off_the_training_cells():
    y = np.repeat([0, 1, 2], [40, 25, 6])
    data = Labelled(torch.zeros(71, 2), y, np.arange(71), ("t", "all", "0"))
    train, validation = hold_out(data)
    assert sorted([*train, *validation]) == list(range(71))
    assert np.bincount(y[validation], minlength=3).tolist() == [4, 2, 0]


def test_class_weights_are_balanced():
    weight = class_weights(np.array([0, 0, 0, 2]), 3)
    assert weight.tolist() == pytest.approx([4 / (2 * 3), 0.0, 4 / (2 * 1)])


def test_tuning_takes_the_fewest_steps_within_a_standard_error_of_the_best():
    def rows(arm, steps, values):
        return [(arm, 0, "few", 1e-4, steps, draw, f1) for draw, f1 in enumerate(values)]

    names = ["arm", "seed", "labels", "lr", "steps", "draw", "macro_f1"]
    # Standard error of the best is .02 / 2 = .01: .745 is within, .735 is not.
    best = [0.73, 0.77, 0.73, 0.77]
    for other, steps in ((0.745, 300), (0.735, 1000)):
        table = pd.DataFrame(rows("mae", 1000, best) + rows("mae", 300, [other] * 4), columns=names)
        assert tune.choose([table])["chosen"]["mae"]["few"]["steps"] == steps


def test_tuning_chooses_the_best_mean_of_settings_that_differ():
    rows = [
        *[("scratch", 0, "few", lr, steps, d, f1)
          for lr, steps, f1 in ((1e-3, 300, 0.5), (1e-4, 300, 0.7), (1e-4, 1000, 0.7))
          for d in (0, 1)],
        ("mae", 0, "few", 1e-3, 300, 0, 0.9),
        ("mae", 0, "few", 1e-4, 300, 0, float("nan")),
    ]  # fmt: skip
    names = ["arm", "seed", "labels", "lr", "steps", "draw", "macro_f1"]
    chosen = tune.choose([pd.DataFrame(rows, columns=names)])["chosen"]
    assert chosen["scratch"]["few"] == {"lr": 1e-4, "steps": 300, "macro_f1": 0.7}
    assert chosen["mae"]["few"]["lr"] == 1e-3
    assert chosen["pretrained"] == chosen["mae"]


def test_the_grid_scores_every_setting(study):
    _, store, split, _, _ = study
    regimes = [{**FEW, "lr": lr} for lr in (1e-4, 1e-3)]
    frame = tune.grid(
        finetune_spec(regimes, corpus="none", method="scratch"),
        model.new_encoder(40, NETWORK, 0), "ok", "random", annotate.Data.read(store, split),
    )  # fmt: skip
    assert frame.groupby("lr").size().to_dict() == {1e-4: 2, 1e-3: 2}
    assert set(frame["arm"]) == {"scratch"}
