"""What a data set must hold."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from selfcell.data.contract import check_all_but_counts, labels, require_some
from selfcell.data.own import Matrix
from selfcell.data.registry import DatasetSpec
from selfcell.errors import DataError


def cells(n: int = 5, genes: int = 4) -> anndata.AnnData:
    X = np.arange(n * genes, dtype=np.float32).reshape(n, genes) % 3
    obs = pd.DataFrame({"type": ["a", "b"] * (n // 2) + ["a"] * (n % 2)})
    obs.index = pd.Index([f"c{i}" for i in range(n)])
    var = pd.DataFrame({"ids": [f"ENSG{i:011d}" for i in range(genes)]})
    var.index = pd.Index([f"G{i}" for i in range(genes)])
    return anndata.AnnData(X=sparse.csr_matrix(X), obs=obs, var=var)


def spec(**columns: str) -> DatasetSpec:
    return DatasetSpec.own("mine", "cells.h5ad", **columns)


def check(adata: anndata.AnnData, spec: DatasetSpec) -> None:
    """All of the contract, as quality control asks for it."""
    matrix = Matrix.of(adata, spec.layer, spec)
    check_all_but_counts(matrix.names, spec)
    some = [block.nnz for _, block in matrix.counts()]
    require_some(any(some), matrix.names, spec)


def test_good_cells_pass() -> None:
    check(cells(), spec(label="type", gene_ids="ids"))
    dense = cells()
    dense.X = dense.X.toarray().astype(np.int32)
    check(dense, spec())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1.386, "non-integers \\(first: 1.386"),
        (np.nan, "NaN"),
        (np.inf, "infinite"),
        (1e30, "values of 16,777,216 or more"),
        (2.0**24, "values of 16,777,216 or more"),
        (-1.0, "negative"),
    ],
)
def test_what_is_no_count_is_named_with_its_place(value: float, kind: str) -> None:
    adata = cells()
    dense = adata.X.toarray()
    dense[3, 2] = value
    adata.X = sparse.csr_matrix(dense)
    with pytest.raises(DataError, match=f"{kind}.*cell c3 \\(row 3\\), gene G2"):
        check(adata, spec())


def test_normalised_values_point_to_the_counts_layer() -> None:
    adata = cells()
    adata.layers["counts"] = adata.X.copy()
    adata.X = adata.X.log1p()
    with pytest.raises(DataError, match="set `layer: counts`"):
        check(adata, spec())
    check(adata, spec(layer="counts"))


def test_a_layer_of_the_file_is_named_too() -> None:
    adata = cells()
    adata.raw = adata.copy()
    adata.X = adata.X.log1p()
    with pytest.raises(DataError, match="set `layer: raw`"):
        check(adata, spec())


@pytest.mark.parametrize("role", ["label", "donor", "batch", "condition"])
def test_a_missing_column_names_those_there_are(role: str) -> None:
    with pytest.raises(DataError, match=f"'typo'.*its {role}.*'type'.*`{role}:`"):
        check(cells(), spec(**{role: "typo"}))


def test_missing_gene_id_column() -> None:
    with pytest.raises(DataError, match="var column 'gene_ids'.*'ids'"):
        check(cells(), spec(gene_ids="gene_ids"))


@pytest.mark.parametrize(("rows", "columns", "what"), [(0, 4, "cells"), (5, 0, "genes")])
def test_nothing_in_it(rows: int, columns: int, what: str) -> None:
    with pytest.raises(DataError, match=f"has no {what}"):
        check(cells()[:rows, :columns].copy(), spec())


def test_duplicated_cells() -> None:
    adata = cells()
    adata.obs_names = ["c0", "c0", "c2", "c3", "c4"]
    with pytest.raises(DataError, match="1 duplicated cell names \\(c0\\)"):
        check(adata, spec())


def test_duplicated_ensembl_ids_whatever_their_version() -> None:
    adata = cells()
    adata.var["ids"] = ["ENSG00000000001.1", "ENSG00000000001.2", "x", "y"]
    with pytest.raises(DataError, match="duplicated Ensembl ids \\(ENSG00000000001\\)"):
        check(adata, spec(gene_ids="ids"))
    adata.var_names = list(adata.var.pop("ids"))
    with pytest.raises(DataError, match="duplicated Ensembl ids"):
        check(adata, spec())


def test_duplicated_symbols_need_ids() -> None:
    adata = cells()
    adata.var_names = ["A", "A", "B", "C"]
    with pytest.raises(DataError, match="duplicated gene names \\(A\\).*gene_ids"):
        check(adata, spec())
    check(adata, spec(gene_ids="ids"))
    adata.var_names = ["A", "A-1", "B", "C"]
    check(adata, spec())


def test_labels_all_empty() -> None:
    adata = cells()
    adata.obs["type"] = ""
    with pytest.raises(DataError, match="'type'.*empty for every cell"):
        check(adata, spec(label="type"))
    adata.obs["type"] = np.nan
    with pytest.raises(DataError, match="empty for every cell"):
        check(adata, spec(label="type"))


def test_labels_are_plain_text() -> None:
    adata = cells(6)
    adata.obs["type"] = pd.Categorical(["a", None, " b ", "NaN", "", "a"])
    assert list(labels(adata, "type")) == ["a", "", "b", "", "", "a"]
    adata.obs["code"] = [1.0, 2.0, np.nan, 1.0, 2.0, 2.5]
    assert list(labels(adata, "code")) == ["1", "2", "", "1", "2", "2.5"]


@pytest.mark.parametrize(
    ("values", "names", "says"),
    [
        ([1.5, 2.0], ["CD3", "CD4"], "protein CD3 of data set 'mine' holds 1.5"),
        ([1.0, np.nan], ["CD3", "CD4"], "protein CD4 of data set 'mine' holds nan"),
        ([1.0, -1.0], ["CD3", "CD4"], "holds -1.0"),
        ([1.0, 2.0], ["CD3", "CD3"], "1 duplicated proteins"),
    ],
)
def test_proteins_are_whole_counts_under_names_of_their_own(
    values: list[float], names: list[str], says: str
) -> None:
    adata = cells()
    adata.obsm["protein"] = pd.DataFrame(
        np.tile(values, (adata.n_obs, 1)), index=adata.obs_names, columns=names
    )
    with pytest.raises(DataError, match=says):
        check(adata, spec())
