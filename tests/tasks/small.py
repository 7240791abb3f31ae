"""A small network, and the specifications of its training and of its fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selfcell.data.specs import CorpusSpec
from selfcell.specs import FineTuneSpec, Network, PretrainSpec, Training

NETWORK = Network(hidden=[16, 8], activation="selu", dropout=0.1)
CORPUS = CorpusSpec(name="all", sources=({"dataset": "a"},), targets=("a",))
FEW = {"labels": "3", "draws": 2, "lr": 1e-3, "steps": 30}
ALL = {"labels": "all", "draws": 1, "lr": 3e-3, "steps": 200}


def pretrain_spec() -> PretrainSpec:
    """Of 60 steps of random masks."""
    training = Training(steps=60, batch=16, lr=3e-3, precision="float32")
    return PretrainSpec(
        study="t", protocol="intended", corpus=CORPUS, method="mae", task="random_mask",
        params={"rate": 0.3}, network=NETWORK, training=training, seed=0,
    )  # fmt: skip


def finetune_spec(regimes: Sequence[dict[str, Any]], **changes: Any) -> FineTuneSpec:
    """Of the pre-trained model on target a."""
    fields = {
        "study": "t", "protocol": "intended", "target": "a", "corpus": "all", "method": "mae",
        "seed": 0, "regimes": regimes, "batch": 16, "weight_decay": 0.01, "clip": 1.0,
        "precision": "float32", "network": NETWORK,
    }  # fmt: skip
    return FineTuneSpec(**{**fields, **changes})
