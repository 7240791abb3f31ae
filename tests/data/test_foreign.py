"""Cells in a ready model's genes: a network sees in the store what `Model.embed` shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from selfcell.api import Model
from selfcell.data import foreign, own
from selfcell.data.loader import normalise
from selfcell.data.store import Store
from selfcell.data.store_format import OBS
from selfcell.errors import ConfigError, DataError
from selfcell.tasks.model import embed
from tests.cells import embedding, small_model, user_cells


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model(user_cells())


def passed(cells: AnnData, rows: np.ndarray) -> pd.DataFrame:
    """Rows that quality control kept, as rule qc names them; totals are over all genes."""
    total = np.asarray(cells.X.sum(axis=1)).ravel()[rows]
    index = [f"mine:{name}" for name in cells.obs_names[rows]]
    obs = pd.DataFrame(dict.fromkeys(OBS, "unknown"), index=index)
    return obs.assign(total_counts=total.astype(np.int64))


def aligned(
    cells: AnnData, model: Model, out: Path, rows: np.ndarray, by_own: bool = False
) -> tuple[dict, Store]:
    """Report and store of these rows."""
    matrix = own.Matrix.of(cells, None, own.spec_of("mine"))
    genes = foreign.Genes(model.trained.gene_ids, model.trained.symbols, by_own)
    return foreign.align(matrix, passed(cells, rows), genes, out), Store.open(out)


def test_a_model_sees_what_it_sees_in_the_file(model: Model, tmp_path: Path) -> None:
    cells, rows = user_cells(), np.arange(3, 240, 2)
    report, store = aligned(cells, model, tmp_path / "s", rows)
    assert store.gene_ids == list(model.trained.gene_ids)
    assert list(store.obs.index) == [f"mine:{name}" for name in cells.obs_names[rows]]
    x = normalise(store.rows(np.arange(store.n_cells)), store.total_N)
    found = embed(model.trained.encoder, x).numpy()
    np.testing.assert_allclose(found, embedding(model, cells)[rows], atol=1e-5)
    inside = cells.X[rows][:, cells.var_names.isin(model.trained.symbols)].sum()
    assert report["counts_kept"] == round(float(inside / cells.X[rows].sum()), 4) < 1
    assert (report["genes"], report["found"], report["missing"]) == (80, 80, [])


def test_genes_that_the_file_lacks_are_not_measured(model: Model, tmp_path: Path) -> None:
    cells = user_cells()
    lacking = cells.var_names.isin(model.trained.symbols[:20])
    report, store = aligned(cells[:, ~lacking].copy(), model, tmp_path / "s", np.arange(50))
    assert (report["found"], report["share"]) == (60, 0.75)
    assert not store.measured_G[:20].any() and store.measured_G[20:].all()
    assert store.rows(np.arange(50))[:, :20].nnz == 0


def test_a_model_scaled_by_its_own_genes(model: Model, tmp_path: Path) -> None:
    _, store = aligned(user_cells(), model, tmp_path / "s", np.arange(50), by_own=True)
    inside = np.asarray(store.rows(np.arange(50)).sum(axis=1)).ravel()
    np.testing.assert_array_equal(store.total_N, inside)
    cells = user_cells(60)
    counts = cells.X.tolil()
    counts[7, cells.var_names.isin(model.trained.symbols)] = 0
    cells.X = counts.tocsr()
    with pytest.raises(DataError, match="cell mine:cell7 holds no counts in the model's genes"):
        aligned(cells, model, tmp_path / "t", np.arange(60), by_own=True)
    assert not (tmp_path / "t").exists()


def test_the_share_of_genes_that_is_needed_is_set(model: Model, tmp_path: Path) -> None:
    cells = user_cells(40)
    few = cells[:, ~cells.var_names.isin(model.trained.symbols[:50])].copy()
    matrix, obs = own.Matrix.of(few, None, own.spec_of("mine")), passed(few, np.arange(40))
    genes = foreign.Genes(model.trained.gene_ids, model.trained.symbols, False)
    with pytest.raises(DataError, match="30 of the model's 80 genes .*at least 50%"):
        foreign.align(matrix, obs, genes, tmp_path / "s")
    report = foreign.align(matrix, obs, genes, tmp_path / "s", 0.3)
    assert (report["found"], report["share"]) == (30, 0.375)
    with pytest.raises(ConfigError, match=r"min_found 30\.0; .*in \[0, 1\]"):
        foreign.align(matrix, obs, genes, tmp_path / "t", 30.0)


def test_cells_of_other_genes_are_refused(model: Model, tmp_path: Path) -> None:
    cells = user_cells(40)
    cells.var_names = [f"Foo{i}" for i in range(cells.n_vars)]
    with pytest.raises(DataError, match="0 of the model's 80 genes"):
        aligned(cells, model, tmp_path / "s", np.arange(40))
