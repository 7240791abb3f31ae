"""Cell-type annotation with a network: frozen under simple readouts, or fine-tuned.

Shape suffixes: P pool cells, N test cells, G genes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from selfcell.data.cells import StoreCells
from selfcell.data.device import on_device
from selfcell.data.loader import Loader, normalise
from selfcell.data.store import Store
from selfcell.errors import StoreError
from selfcell.nets.mlp import MLP
from selfcell.specs import FineTuneSpec, FrozenSpec, TunedRegime
from selfcell.tasks.finetune import CHECKS, Labelled, fine_tune
from selfcell.tasks.model import Trained, embed
from selfcell.tasks.readouts import RE_SCORES, predict_all, usable
from selfcell.tasks.score import Scores, Truth, evaluate_frozen
from selfcell.train.loop import Batches, Plan
from selfcell.train.precision import choose_device, use_bf16

Frames = tuple[pd.DataFrame, pd.DataFrame]
CHUNK = 4096


@dataclass(frozen=True)
class Data:
    """Cells of a target, as a network takes them.

    Attributes:
        split: the split file. truth: what scoring needs of it.
        pool: cells of the pool. x_PG, x_NG: float32 log1p expression of pool and test cells.
    """

    split: Mapping[str, Any]
    truth: Truth
    pool: StoreCells
    x_PG: torch.Tensor
    x_NG: torch.Tensor

    @classmethod
    def read(cls, store: Store, split: Mapping[str, Any]) -> Data:
        """Read the pool and the test cells of a split from the store of its data set."""
        pool = StoreCells.named(store, split["pool"])
        test = StoreCells.named(store, split["test"])
        return cls(split, Truth.of(split), pool, _dense(pool), _dense(test))

    def keys(self) -> dict[str, str]:
        """Columns of the score table that name the target and how it was split."""
        return {"target": self.split["target"], "split": self.split["hash"]}


def _dense(cells: StoreCells) -> torch.Tensor:
    rows = np.arange(len(cells.ids))
    parts = np.array_split(rows, max(1, len(rows) // CHUNK))
    return torch.cat([normalise(cells.rows(part), cells.total_N[part]) for part in parts])


def grouping(obs: pd.DataFrame) -> np.ndarray:
    """(N,) the finest known grouping of cells: batch, else donor, else condition."""
    for column in ("batch", "donor", "condition"):
        if (obs[column] != "unknown").any():
            return obs[column].to_numpy(dtype=str)
    return np.full(len(obs), "unknown")


def require_genes(model: Trained, store: Store) -> None:
    """Raises StoreError unless the model's genes are the store's, in the same order."""
    if list(model.gene_ids) != store.gene_ids:
        raise StoreError(
            f"{store.path}: genes differ from the model's ({len(store.gene_ids)} against "
            f"{len(model.gene_ids)})",
            "the vocabulary that the model was trained on",
            "pre-train and evaluate within one study",
        )


def frozen(spec: FrozenSpec, model: Trained, data: Data, run_hash: str) -> Frames:
    """Score rows and prediction rows of a frozen model on one target."""
    keys = spec.keys("pretrained", "frozen", run_hash) | data.keys()
    encoder = model.put_into(spec.network)
    pool_PD = embed(encoder, data.x_PG).numpy()
    test_ND = embed(encoder, data.x_NG).numpy()
    return evaluate_frozen(pool_PD, test_ND, data.truth, spec.readouts, keys, model.status)


def fine_tuned(
    spec: FineTuneSpec, encoder: MLP, status: str, init: str, data: Data, run_hash: str
) -> Frames:
    """Score rows and prediction rows of an arm fine-tuned at each of its regimes and draws.

    Args:
        encoder: the weights to start from; left as they are.
        status: of the pre-trained model, carried into the rows ("ok" for scratch).
        init: "pretrained" or "random".
    """
    keys = spec.keys(init, "fine-tuned", run_hash) | data.keys()
    scores = Scores(keys, data.truth)
    for regime in spec.regimes:
        draws: Sequence[np.ndarray] = data.truth.draws[regime.labels][: regime.draws]
        for number, rows in enumerate(draws):
            _one(spec, regime, number, np.asarray(rows), encoder, status, data, scores)
    return scores.frames()


def _one(
    spec: FineTuneSpec,
    regime: TunedRegime,
    number: int,
    rows: np.ndarray,
    encoder: MLP,
    status: str,
    data: Data,
    scores: Scores,
) -> None:
    """Fine-tune and score one draw: by its head, and by neighbours of its code, which is how the
    released code judged every network."""
    stopping, device = regime.labels == "all", choose_device(spec.device)
    plan = Plan(
        regime.steps,
        clip=spec.clip,
        bf16=use_bf16(spec.precision, device),
        log_every=max(1, regime.steps // CHECKS),
    )
    names = (spec.target, regime.labels, str(number))
    labelled = Labelled(data.x_PG, data.truth.pool_P, rows, names)

    def batches(chosen: np.ndarray, seed: int) -> Batches:
        labels = data.truth.pool_P[chosen]
        return on_device(Loader(data.pool, chosen, spec.batch, seed, label_N=labels), device)

    model = fine_tune(
        encoder,
        labelled,
        len(data.truth.classes),
        plan,
        batches,
        lr=regime.lr,
        weight_decay=spec.weight_decay,
        early_stopping=stopping,
        device=device,
    )
    run: dict[str, Any] = {"regime": regime.labels, "draw": number, "readout": "head"}
    if model is None:
        scores.add(None, **run, n_labels=len(rows), status="diverged")
        return
    p_NC = model.probabilities(data.x_NG).numpy()
    scores.add(p_NC.argmax(1), p_NC, **run, n_labels=len(rows), status=status)
    pool_ND = embed(model.encoder, data.x_PG[rows]).numpy()
    test_ND = embed(model.encoder, data.x_NG).numpy()
    y_N, classes = data.truth.pool_P[rows], len(data.truth.classes)
    asked = usable(RE_SCORES, regime.labels)
    for name, predicted in predict_all(asked, pool_ND, y_N, classes, test_ND):
        run["readout"] = name
        scores.add(*predicted, **run, n_labels=len(rows), status=status)
