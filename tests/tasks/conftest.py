"""What the tests of tasks share: a model trained once."""

from __future__ import annotations

from typing import Any

import pytest

from selfcell.data.corpus import Corpus
from selfcell.tasks import model
from selfcell.tasks.pretrain import pretrain
from tests.data import factory
from tests.tasks.small import CORPUS, pretrain_spec


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """Folder with model `m`, store, split, corpus, and what pre-training gave."""
    root = tmp_path_factory.mktemp("study")
    cells = factory.make_cells(n=200)
    store = factory.make_store(root, cells)
    split = factory.split_of(cells, target="a")
    corpus = Corpus.build(CORPUS, {"a": store}, {"a": split})
    result = pretrain(pretrain_spec(), corpus, {})
    notes = {"run_hash": "abc"}
    model.save(root / "m", result.method, pretrain_spec(), corpus.genes, result.health, notes)
    return root, store, split, corpus, result
