"""Models for one's own cells: whatever form they come in, they embed alike."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pytest
import torch
from anndata import AnnData
from scipy import sparse

from selfcell.api import CONFIDENCE, EMBEDDING, LABEL, Model
from selfcell.data.cells import log_normalise
from selfcell.data.own import opened
from selfcell.errors import ConfigError, DataError
from selfcell.tasks import model as folder
from tests.cells import embedding, in_layer, small_model, user_cells


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model(user_cells())


def in_raw(cells: AnnData) -> AnnData:
    """The counts in `.raw`, with genes that X has not."""
    cells.raw = cells.copy()
    return in_layer(cells)[:, 5:].copy()


def by_ensembl(cells: AnnData) -> AnnData:
    """As CELLxGENE writes files: versioned Ensembl ids, symbols in a column."""
    cells.var["feature_name"] = cells.var_names.to_numpy()
    cells.var_names = [f"{name}.7" for name in cells.var["ensembl"]]
    return cells


def with_x(cells: AnnData, convert: Callable[[sparse.csr_matrix], object]) -> AnnData:
    """The same cells with X in another form."""
    return AnnData(convert(cells.X), obs=cells.obs, var=cells.var)


FORMS: dict[str, tuple[Callable[[AnnData], AnnData], dict[str, object]]] = {
    "csc": (lambda cells: with_x(cells, sparse.csc_matrix), {}),
    "dense": (lambda cells: with_x(cells, lambda X: X.toarray()), {}),
    "integers": (lambda cells: with_x(cells, lambda X: X.toarray().astype(np.int64)), {}),
    "coo in double": (lambda cells: with_x(cells, lambda X: X.astype(np.float64)), {}),
    "layer": (in_layer, {"layer": "counts"}),
    "raw": (in_raw, {"layer": "raw"}),
    "symbols": (lambda cells: cells, {}),
    "a column of ids": (lambda cells: cells, {"gene_ids": "ensembl"}),
    "ensembl": (by_ensembl, {}),
    "genes in another order": (lambda cells: cells[:, ::-1].copy(), {}),
    "blocks of seven": (lambda cells: cells, {"batch": 7}),
}


@pytest.mark.parametrize("form", FORMS)
def test_cells_embed_alike_in_every_form(model: Model, form: str) -> None:
    change, options = FORMS[form]
    expected = embedding(model, user_cells())
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(
        embedding(model, change(user_cells()), **options), expected, atol=1e-5
    )


@pytest.mark.parametrize("store", [sparse.csr_matrix, sparse.csc_matrix, np.asarray])
def test_cells_on_disk_embed_alike(model: Model, tmp_path: Path, store: Callable) -> None:
    cells = in_layer(user_cells())
    counts = cells.layers["counts"]
    cells.layers["counts"] = counts.toarray() if store is np.asarray else store(counts)
    plain = AnnData(cells.layers["counts"], obs=cells.obs, var=cells.var)
    expected = embedding(model, user_cells())
    plain.write_h5ad(tmp_path / "plain.h5ad")
    backed = anndata.read_h5ad(tmp_path / "plain.h5ad", backed="r")
    np.testing.assert_allclose(embedding(model, backed), expected, atol=1e-5)
    backed.file.close()
    cells.write_h5ad(tmp_path / "layer.h5ad")
    with opened(tmp_path / "layer.h5ad") as lazy:
        assert not sparse.issparse(lazy.layers["counts"])
        found = embedding(model, lazy, layer="counts")
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_view_of_cells_on_disk_is_refused_at_once(model: Model, tmp_path: Path) -> None:
    user_cells().write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    view, known = backed[10:50], user_cells()
    for use in (model.embed, lambda cells: model.annotate(cells, known)):
        with pytest.raises(DataError, match="a view of a backed AnnData.*copy=True gives"):
            use(view)
    copied = model.embed(view, copy=True)
    np.testing.assert_allclose(copied.obsm[EMBEDDING], embedding(model, known)[10:50], atol=1e-5)
    assert list(model.annotate(view, known, copy=True).obs_names) == list(view.obs_names)
    assert view.is_view and view.isbacked
    backed.file.close()


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data")
def test_raw_on_disk_and_other_formats(model: Model, tmp_path: Path) -> None:
    expected = embedding(model, user_cells())
    in_raw(user_cells()).write_h5ad(tmp_path / "raw.h5ad")
    with opened(tmp_path / "raw.h5ad") as lazy:
        np.testing.assert_allclose(embedding(model, lazy, layer="raw"), expected, atol=1e-5)
    in_layer(user_cells()).write_zarr(tmp_path / "cells.zarr")
    with opened(tmp_path / "cells.zarr") as cells:
        np.testing.assert_allclose(embedding(model, cells, layer="counts"), expected, atol=1e-5)
    user_cells().to_df().T.to_csv(tmp_path / "cells.csv.gz")
    with opened(tmp_path / "cells.csv.gz") as cells:
        np.testing.assert_allclose(embedding(model, cells), expected, atol=1e-5)


def test_a_cell_embeds_as_it_does_alone(model: Model) -> None:
    cells = user_cells()
    expected = embedding(model, cells.copy())
    order = np.random.default_rng(0).permutation(cells.n_obs)
    np.testing.assert_allclose(embedding(model, cells[order].copy()), expected[order], atol=1e-5)
    np.testing.assert_allclose(embedding(model, cells[3:4].copy()), expected[3:4], atol=1e-5)


def test_input_is_prepared_as_in_the_study(model: Model) -> None:
    cells = user_cells()
    total = np.asarray(cells.X.sum(axis=1)).ravel()
    order = cells.var_names.get_indexer(model.trained.symbols)
    x = log_normalise(cells.X, total)[:, order].toarray()
    expected = folder.embed(model.trained.encoder, torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(embedding(model, cells), expected, atol=1e-5)


def test_nothing_else_is_changed(model: Model) -> None:
    cells, before = in_layer(user_cells()), in_layer(user_cells())
    assert model.embed(cells, layer="counts") is None
    assert list(cells.obsm) == [EMBEDDING] and list(cells.obs) == list(before.obs)
    assert (cells.X != before.X).nnz == 0
    assert (cells.layers["counts"] != before.layers["counts"]).nnz == 0
    copied = model.embed(before, layer="counts", copy=True)
    assert EMBEDDING in copied.obsm and not before.obsm


def test_missing_genes_read_as_zero_and_are_named(model: Model) -> None:
    cells = user_cells()
    lacking = [name for name in cells.var_names if name in model.trained.symbols[:20]]
    part = cells[:, ~cells.var_names.isin(lacking)].copy()
    report = model.alignment(part)
    assert (report["genes"], report["found"], report["share"]) == (80, 60, 0.75)
    assert report["missing"] == list(model.trained.symbols[:10])
    assert np.isfinite(embedding(model, part)).all()
    assert model.aligned["cells"] == report


def test_what_became_of_the_genes_is_reported(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    cells = user_cells()
    known = cells[:, cells.var_names.isin(model.trained.symbols)]
    with caplog.at_level(logging.INFO, "selfcell"):
        model.embed(cells)
    report = model.aligned["cells"]
    assert report["counts_kept"] == round(float(known.X.sum() / cells.X.sum()), 4) < 1
    assert (report["genes"], report["found"], report["left_out"]) == (80, 80, 16)
    assert "0 genes that the file lacks read as 0" in report["rest"]
    assert "16 genes that the model does not know are left out" in caplog.text
    model.annotate(known.copy(), cells)
    assert model.aligned["reference"] == report
    assert model.aligned["cells"]["counts_kept"] == 1


def test_under_half_of_the_genes_is_refused(model: Model) -> None:
    cells = user_cells()
    part = cells[:, cells.var_names.isin(model.trained.symbols[:39])].copy()
    with pytest.raises(DataError, match=r"39 of the model's 80 genes .*at least 50%.*--min-found"):
        model.embed(part)
    assert not part.obsm
    model.embed(part, min_found=0.4)
    assert model.aligned["cells"]["share"] == round(39 / 80, 4)
    none = cells[:, ~cells.var_names.isin(model.trained.symbols)].copy()
    with pytest.raises(DataError, match="0 of the model's 80 genes"):
        model.embed(none, min_found=0.0)
    with pytest.raises(ConfigError, match=r"min_found 50; .*in \[0, 1\]"):
        model.embed(part, min_found=50)


def break_counts(cells: AnnData) -> AnnData:
    """One value that is no count, after the first block of ten."""
    cells.X[17, 3] = 1.5
    return cells


def empty_cell(cells: AnnData) -> AnnData:
    """A cell without counts."""
    return with_x(cells, lambda X: sparse.vstack([X[:30], X[30:31] * 0, X[31:]], format="csr"))


def twice(cells: AnnData) -> AnnData:
    """A gene that stands twice."""
    return anndata.concat([cells, cells[:, :1]], axis=1, merge="first")


BAD: dict[str, tuple[Callable[[AnnData], AnnData], dict[str, object], str]] = {
    "no counts": (break_counts, {"batch": 10}, r"non-integers \(first: 1.5 at cell cell17 \(row"),
    "normalised": (in_layer, {}, "set `layer: counts`"),
    "empty cell": (empty_cell, {}, r"cell30 \(row 30\).*filter_cells"),
    "no layer": (lambda cells: cells, {"layer": "raw"}, "no layer 'raw'"),
    "near layer": (in_layer, {"layer": "count"}, "did you mean 'counts'"),
    "twice": (twice, {}, "duplicated gene names"),
    "no column": (lambda cells: cells, {"gene_ids": "ensemble"}, "one of ..ensembl"),
    "no cells": (lambda cells: cells[:0].copy(), {}, "no cells"),
}


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
@pytest.mark.parametrize("case", BAD)
def test_bad_cells_are_refused_with_a_remedy(model: Model, case: str) -> None:
    change, options, said = BAD[case]
    with pytest.raises(DataError, match=said):
        model.embed(change(user_cells()), **options)


def test_annotation_learns_labels_and_says_how_sure(model: Model) -> None:
    cells = user_cells()
    reference, query = cells[:140].copy(), cells[140:].copy()
    reference.obs["cell_type"] = reference.obs["cell_type"].astype(object)
    reference.obs.loc[reference.obs_names[:9], "cell_type"] = ""
    truth = query.obs.pop("cell_type").astype(str)
    model.annotate(query, reference)
    assert (query.obs[LABEL].astype(str) == truth).mean() > 0.6
    assert "" not in query.obs[LABEL].cat.categories
    assert query.obs[CONFIDENCE].between(0.25, 1).all()
    assert list(query.obs) == ["donor", LABEL, CONFIDENCE] and not query.obsm
    assert list(reference.obs) == ["cell_type", "donor"] and not reference.obsm
    model.annotate(query, reference, readout="knn5")
    assert (query.obs[LABEL].astype(str) == truth).mean() > 0.6
    assert CONFIDENCE not in query.obs
    assert LABEL in model.annotate(cells, reference, copy=True).obs and LABEL not in cells.obs


def test_annotation_says_what_is_wrong(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    cells = user_cells()
    with pytest.raises(DataError, match="'reference' has no obs column 'celltype'.*'cell_type'"):
        model.annotate(cells, cells, label="celltype")
    with pytest.raises(ConfigError, match="did you mean 'probe'"):
        model.annotate(cells, cells, readout="prob")
    few = cells[np.r_[:12]].copy()
    with caplog.at_level(logging.WARNING, "selfcell"):
        model.annotate(cells, few, readout="knn5")
    assert "under 10 labelled cells" in caplog.text


def test_importing_the_package_loads_nothing() -> None:
    code = "import sys, selfcell\nprint(*sys.modules)\nassert not hasattr(selfcell, 'lod')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "pandas", "selfcell.api"} & set(done.stdout.split())


def test_what_is_no_anndata_is_refused(model: Model) -> None:
    with pytest.raises(DataError, match=r"'cells' is of type str; needed: AnnData.*read_h5ad"):
        model.embed("cells.h5ad")  # type: ignore[arg-type]


def test_an_unknown_readout_is_told_those_of_users(model: Model) -> None:
    cells = user_cells(40)
    with pytest.raises(ConfigError, match="there are: knn1, knn5, probe, prototype$"):
        model.annotate(cells, cells, readout="forest")
