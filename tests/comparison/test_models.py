"""Ready models of a study of own cells: fetched, checked against the file, named."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfcell import hub
from selfcell.comparison.cells import look
from selfcell.comparison.models import fetched
from selfcell.errors import DataError, StoreError
from tests.cells import small_model, user_cells


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """cells.h5ad, foreign.h5ad and model."""
    cells = user_cells()
    cells.write_h5ad(tmp_path / "cells.h5ad")
    small_model(cells).save(tmp_path / "model")
    cells.var_names = [f"FOO{i}" for i in range(cells.n_vars)]
    cells.write_h5ad(tmp_path / "foreign.h5ad")
    return tmp_path


def test_folders_and_models_of_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = look(folder / "cells.h5ad", "mine", "cell_type")
    pulled: list[hub.Address] = []
    monkeypatch.setattr(hub, "pull", lambda each: pulled.append(each) or folder / "model")
    assert fetched([folder / "model"], cells) == {folder / "model": "model"}
    assert fetched(["owner/name@v1"], cells) == {folder / "model": "name"}
    assert pulled == [hub.Address("owner/name", "v1")]


def test_what_cannot_be_used_is_refused_beforehand(folder: Path) -> None:
    cells = look(folder / "foreign.h5ad", "mine", "cell_type")
    with pytest.raises(DataError, match="0 of the model's 80 genes"):
        fetched([folder / "model"], cells)
    with pytest.raises(DataError, match="0 of the model's 80 genes"):
        fetched([folder / "model"], cells, 0.0)
    with pytest.raises(StoreError, match="no readable model"):
        fetched([folder], cells)


def test_the_share_of_genes_that_is_needed_is_set(folder: Path) -> None:
    whole = user_cells()
    whole[:, :40].copy().write_h5ad(folder / "few.h5ad")
    cells = look(folder / "few.h5ad", "mine", "cell_type")
    with pytest.raises(DataError, match="of the model's 80 genes .*--min-found"):
        fetched([folder / "model"], cells)
    assert fetched([folder / "model"], cells, 0.1) == {folder / "model": "model"}
