"""Cells whose values Dask holds: read when they are needed, block by block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

from selfcell.api import EMBEDDING, LABEL, Model
from selfcell.doctor import examine
from tests.cells import small_model, user_cells

arrays = pytest.importorskip("dask.array", reason="dask not found: pip install -e '.[dev]'")


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model(user_cells())


def put_off(cells: AnnData, form: Callable[[np.ndarray], object]) -> AnnData:
    """The same cells, in chunks of fifty that are made when asked for."""
    chunks = arrays.from_array(cells.X.toarray(), chunks=(50, -1)).map_blocks(form)
    return AnnData(chunks, obs=cells.obs, var=cells.var, layers={"counts": chunks})


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_cells_of_dask_embed_and_are_named_alike(
    model: Model, form: Callable[[np.ndarray], object]
) -> None:
    plain, cells = user_cells(), put_off(user_cells(), form)
    before = cells.X
    for each in (plain, cells):
        model.embed(each)
        model.annotate(each, each)
    np.testing.assert_allclose(cells.obsm[EMBEDDING], plain.obsm[EMBEDDING], atol=1e-5)
    assert list(cells.obs[LABEL]) == list(plain.obs[LABEL])
    assert cells.X is before  # nothing was read into it
    copied = model.embed(cells, layer="counts", batch=7, copy=True)
    np.testing.assert_allclose(copied.obsm[EMBEDDING], plain.obsm[EMBEDDING], atol=1e-5)


def test_doctor_reads_them(model: Model) -> None:
    facts, _ = examine(put_off(user_cells(), sparse.csr_matrix), model=model)
    assert facts["counts_in"] == "X" and facts["matrices"]["counts"] == "counts"
