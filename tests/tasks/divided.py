"""A store with a gene that nobody measured, and masked autoencoders trained on it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from selfcell.data.corpus import Corpus
from selfcell.data.store import Store
from selfcell.specs import Network, PretrainSpec, Thinning, Training
from selfcell.tasks import model
from selfcell.tasks.pretrain import pretrain
from tests.data import factory

NETWORK = Network(hidden=[16, 8], activation="selu", dropout=0.1)
THINNING = Thinning(max_cells=1000, draws=2)
CORPUS = {"name": "all", "sources": ({"dataset": "a"},), "targets": ("a",)}
Made = tuple[Path, Store, dict[str, Any]]


def pretrain_spec(loss: str) -> PretrainSpec:
    """Of a masked autoencoder with one of the two heads."""
    return PretrainSpec(
        study="t", protocol="intended", corpus=CORPUS, method="mae", task="random_mask",
        params={"rate": 0.3, "loss": loss}, network=NETWORK, seed=0,
        training=Training(steps=150, batch=32, lr=3e-3, precision="float32"),
    )  # fmt: skip


def corpus(spec: PretrainSpec, store: Store, split: dict[str, Any]) -> Corpus:
    """Its cells: all but the test cells."""
    return Corpus.build(spec.corpus, {"a": store}, {"a": split})


def trained(root: Path, store: Store, split: dict[str, Any], loss: str) -> model.Trained:
    """Read back from disk."""
    spec = pretrain_spec(loss)
    own = corpus(spec, store, split)
    result = pretrain(spec, own, {})
    notes = {"run_hash": "abc"}
    model.save(root / loss, result.method, spec, own.genes, result.health, notes)
    # So short a training need not pass the learning gate, which is not the matter here.
    return dataclasses.replace(model.load(root / loss), status="ok")


def store(root: Path) -> Made:
    """One gene that the vocabulary names and the data set did not measure."""
    cells = factory.make_cells(n=400)
    made = factory.make_store(root, cells, genes=range(41))
    return root, made, factory.split_of(cells, target="a")
