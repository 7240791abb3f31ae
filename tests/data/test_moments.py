"""Statistics of genes in one pass, against scanpy's on cells in memory."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

from selfcell.data.fetch import cache_dir, mirror_list, obtain
from selfcell.data.moments import Moments, dispersions, most_variable
from selfcell.data.readers import read
from selfcell.data.registry import Registry
from tests.data.factory import gene_ids, make_cells

OLD = "ignore:Element .* was written without encoding metadata"  # by an earlier anndata


def gathered(counts: sparse.csr_matrix, rows: int = 64) -> Moments:
    """Moments of cells, by blocks of so many."""
    moments = Moments(counts.shape[1])
    total = np.asarray(counts.sum(axis=1)).ravel()
    for start in range(0, counts.shape[0], rows):
        block, part = counts[start : start + rows], total[start : start + rows]
        moments.add(block, part, part > 0)
    return moments


def by_scanpy(counts: sparse.csr_matrix, names: np.ndarray, n: int) -> pd.DataFrame:
    """scanpy's table for genes that are seen."""
    cells = anndata.AnnData(counts.astype(np.float32), var=pd.DataFrame(index=names))
    sc.pp.filter_genes(cells, min_cells=1)
    sc.pp.normalize_total(cells, target_sum=1e4)
    table: pd.DataFrame = sc.pp.highly_variable_genes(
        cells, flavor="cell_ranger", n_top_genes=n, inplace=False
    )
    return table.set_index(cells.var_names)


@pytest.mark.filterwarnings(OLD)
@pytest.mark.parametrize("name", ["pbmc3k", "baron"])
@pytest.mark.parametrize("n", [500, 2000])
def test_most_variable_genes_of_real_cells_are_scanpys(repo: Path, name: str, n: int) -> None:
    spec = Registry.load(repo / "resources/datasets.yaml").dataset(name)
    cells = read(obtain(spec.source, cache_dir(), mirror_list()), spec)
    counts = sparse.csr_matrix(cells.X)
    counts.eliminate_zeros()
    names = np.array(cells.var_names, dtype=str)
    moments = gathered(counts)
    theirs = by_scanpy(counts, names, n)
    assert set(most_variable(moments, names, n)) == set(theirs.index[theirs["highly_variable"]])
    seen = moments.cells_F > 0
    ours = dispersions(moments.mean_F()[seen], moments.variance_F()[seen])
    for own, other in (
        ("mean", "means"),
        ("dispersion", "dispersions"),
        ("normalised", "dispersions_norm"),
    ):
        np.testing.assert_allclose(ours[own], theirs[other], rtol=2e-4, atol=1e-5)


@pytest.mark.filterwarnings(OLD)
def test_metrics_of_real_cells_are_scanpys(repo: Path) -> None:
    spec = Registry.load(repo / "resources/datasets.yaml").dataset("pbmc3k")
    cells = read(obtain(spec.source, cache_dir(), mirror_list()), spec)
    moments = gathered(sparse.csr_matrix(cells.X), rows=333)
    _, theirs = sc.pp.calculate_qc_metrics(cells, percent_top=None, log1p=False)
    assert moments.n == cells.n_obs
    np.testing.assert_array_equal(moments.cells_F, theirs["n_cells_by_counts"])
    np.testing.assert_array_equal(moments.counts_F, theirs["total_counts"])


def test_blocks_of_any_size_give_the_same() -> None:
    counts = sparse.csr_matrix(make_cells("a", 300, range(400)).X)
    one, many = gathered(counts, 300), gathered(counts, 7)
    np.testing.assert_allclose(one.mean_F(), many.mean_F(), rtol=1e-12)
    np.testing.assert_allclose(one.variance_F(), many.variance_F(), rtol=1e-9)
    scaled = counts.toarray() / counts.sum(axis=1) * 1e4
    np.testing.assert_allclose(many.variance_F(), np.asarray(scaled).var(axis=0, ddof=1))


def test_ties_go_by_gene_id_and_silent_genes_are_never_chosen() -> None:
    counts = make_cells("a", 100, range(60)).X.toarray()
    counts[:, 31] = counts[:, 30]
    counts[:, 7] = 0
    ids = np.array(gene_ids(range(60)))
    ranked = most_variable(gathered(sparse.csr_matrix(counts)), ids, 60)
    assert ids[7] not in ranked
    assert ranked.index(ids[31]) == ranked.index(ids[30]) + 1
    turned = np.arange(60)[::-1]
    assert most_variable(gathered(sparse.csr_matrix(counts[:, turned])), ids[turned], 60) == ranked


def test_a_gene_that_does_not_vary_stands_nowhere() -> None:
    counts = np.full((50, 3), 2.0)
    counts[:, 1:] = 1 + np.arange(100).reshape(50, 2) % 3
    counts[:, 2] = 6 - counts[:, :2].sum(axis=1)
    moments = gathered(sparse.csr_matrix(counts))
    assert moments.variance_F()[0] == 0
    assert np.isnan(dispersions(moments.mean_F(), moments.variance_F())["normalised"][0])


def test_degenerate_bins_are_ranked_all_the_same() -> None:
    mean = np.array([1.0] * 6 + [2.0])
    table = dispersions(mean, np.array([3.0, 3.0, 3.0, 3.0, 5.0, 0.0, 8.0]))
    assert table["normalised"].tolist()[:5] == [0, 0, 0, 0, np.inf]
    assert np.isnan(table["normalised"][5])
    assert table["normalised"][6] == 0


@pytest.mark.filterwarnings(OLD)
def test_genes_that_define_islet_types_are_chosen(repo: Path) -> None:
    """Hormones stand out of few cells at a high mean: bins of equal width pass over them."""
    spec = Registry.load(repo / "resources/datasets.yaml").dataset("baron")
    cells = read(obtain(spec.source, cache_dir(), mirror_list()), spec)
    names = np.array(cells.var_names, dtype=str)
    chosen = set(most_variable(gathered(sparse.csr_matrix(cells.X)), names, 1000))
    symbols = cells.var["symbol"] if "symbol" in cells.var else pd.Series(names, names)
    hormones = symbols.index[symbols.isin(["INS", "GCG", "SST", "PPY"])]
    assert len(hormones) == 4
    assert chosen.issuperset(hormones)
