"""Cell types from a pre-trained network, frozen and fine-tuned, on a small store."""

import numpy as np
import pandas as pd
import pytest
import torch

from selfcell.errors import StoreError
from selfcell.specs import FrozenSpec
from selfcell.stats import table
from selfcell.tasks import annotate, model
from selfcell.tasks.finetune import Labelled, class_weights, hold_out
from tests.data import factory
from tests.tasks.small import ALL, FEW, NETWORK, finetune_spec


def test_a_model_of_other_genes_is_refused(study, tmp_path):
    other = factory.make_store(tmp_path, factory.make_cells(n=60), genes=range(30))
    with pytest.raises(StoreError, match="vocabulary"):
        annotate.require_genes(model.load(study[0] / "m"), other)


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
