"""The command in this process, and files to use it on."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfcell import cli
from selfcell.convert import to_store
from tests.cells import small_model, user_cells
from tests.tree import REPO


@dataclass(frozen=True)
class Done:
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def selfcell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., Done]:
    """The command, run in this process with its hooks taken back afterwards."""
    for hook in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, hook, getattr(sys, hook))
    monkeypatch.setattr(os, "_exit", sys.exit)

    def run(*words: object) -> Done:
        code = 0
        try:
            cli.main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cells.h5ad, reference.h5ad (labelled), normalised.h5ad (counts in a layer), model."""
    root = tmp_path_factory.mktemp("files")
    made = user_cells()
    to_store(made[:40], root / "a.store", {})
    shutil.copyfile(REPO / "configs/smoke.yaml", root / "study.yaml")
    reference = made[:140].copy()
    reference.obs["cell"] = reference.obs_names
    reference.obs["cell_type"] = reference.obs["cell_type"].str.replace("type", "type_")
    reference.write_h5ad(root / "reference.h5ad")
    cells = made[140:].copy()
    del cells.obs["cell_type"]
    cells.obs["when"] = pd.Categorical(["now", "then"] * 50)
    cells.uns["note"] = "kept"
    cells.write_h5ad(root / "cells.h5ad")
    cells.layers["counts"] = cells.X.copy()
    cells.X = np.log1p(cells.X.toarray())
    cells.write_h5ad(root / "normalised.h5ad")
    small_model(made).save(root / "model")
    return root
