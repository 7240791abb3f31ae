"""Equal tuning: every fine-tuned arm gets the same small grid, scored on a development set.

Source: study protocol: an untuned scratch arm invents the headline. The development set is never
an annotation target, so nothing of a target reaches the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from selfcell.errors import DataError
from selfcell.nets.mlp import MLP
from selfcell.specs import FineTuneSpec
from selfcell.tasks.annotate import Data, fine_tuned

SCRATCH = "scratch"


def grid(spec: FineTuneSpec, encoder: MLP, status: str, init: str, data: Data) -> pd.DataFrame:
    """Macro-F1 of an arm at every setting of its grid.

    Args:
        spec: one entry of `regimes` for each label regime and setting.
        encoder, status, init: as `annotate.fine_tuned` takes them.

    Returns:
        Columns arm, seed, labels, lr, steps, draw, macro_f1 (NaN where the loss diverged).
    """
    rows = []
    for regime in spec.regimes:
        one = spec.model_copy(update={"regimes": [regime]})
        scores, _ = fine_tuned(one, encoder, status, init, data, "tuning")
        own = scores[(scores["metric"] == "macro_f1") & (scores["readout"] == "head")]
        for score in own.itertuples():
            rows.append(
                {
                    "arm": SCRATCH if init == "random" else spec.method,
                    "seed": spec.seed,
                    "labels": "all" if regime.labels == "all" else "few",
                    "lr": regime.lr,
                    "steps": regime.steps,
                    "draw": score.draw,
                    "macro_f1": score.value,
                }
            )
    return pd.DataFrame(rows)


def choose(results: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """The setting of each arm and regime by the one-standard-error rule, and all means.

    Of the settings whose mean over seeds and draws lies within one standard error of the best
    mean, the fewest steps win, then the highest mean, then the lowest rate: what the development
    set cannot tell apart is not paid for. Methods without a grid of their own take `pretrained`,
    chosen over the pre-trained arms together. A run that diverged counts as 0.

    Source: Hastie, Tibshirani & Friedman 2009, section 7.10 (one-standard-error rule).

    Returns:
        `chosen`: arm -> few|all -> lr, steps, macro_f1. `grid`: all means, as rows.

    Raises:
        DataError: no results.
    """
    if not results:
        raise DataError("no tuning results", "one table for each arm and seed")
    table = pd.concat(results, ignore_index=True).fillna({"macro_f1": 0.0})
    pretrained = table[table["arm"] != SCRATCH].assign(arm="pretrained")
    table = pd.concat([table, pretrained], ignore_index=True)
    keys = ["arm", "labels", "lr", "steps"]
    means = table.groupby(keys, as_index=False)["macro_f1"].agg(["mean", "std", "count"])
    best = means.loc[means.groupby(["arm", "labels"])["mean"].idxmax()].set_index(keys[:2])
    floor = best["mean"] - (best["std"] / best["count"] ** 0.5).fillna(0.0)
    near = means[means["mean"] >= means.set_index(keys[:2]).index.map(floor)]
    order = near.sort_values(["steps", "mean", "lr"], ascending=[True, False, True])
    chosen: dict[str, dict[str, dict[str, float]]] = {}
    for row in order.drop_duplicates(["arm", "labels"]).sort_values(["arm", "labels"]).itertuples():
        setting = {"lr": float(row.lr), "steps": int(row.steps), "macro_f1": round(row.mean, 4)}
        chosen.setdefault(row.arm, {})[row.labels] = setting
    rows = [
        {**{key: getattr(row, key) for key in keys}, "macro_f1": round(row.mean, 4),
         "sd": round(row.std, 4), "runs": int(row.runs)}
        for row in means.rename(columns={"count": "runs"}).sort_values(keys).itertuples()
    ]  # fmt: skip
    return {"chosen": chosen, "grid": rows}
