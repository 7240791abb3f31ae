"""Tuning of learning rate and steps: what is tried and what is chosen."""

import pandas as pd

from selfcell.tasks import annotate, model, tune
from tests.tasks.small import FEW, NETWORK, finetune_spec


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
