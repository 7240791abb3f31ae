"""Every format gives the same cells."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import io, sparse

from selfcell.data import readers
from selfcell.data.readers import prepare, read, read_h5ad
from selfcell.data.registry import DatasetSpec, Join
from selfcell.errors import DataError

X = np.array([[1, 0, 2], [0, 3, 0], [4, 0, 0], [0, 0, 5]], dtype=np.float32)
CELLS = ["c0", "c1", "c2", "c3"]
GENES = ["A", "B", "C"]
IDS = ["ENSG00000000001", "ENSG00000000002", "ENSG00000000003"]


def adata(matrix: object = None) -> anndata.AnnData:
    obs = pd.DataFrame({"type": list("aabb")}, index=pd.Index(CELLS))
    chosen = sparse.csr_matrix(X) if matrix is None else matrix
    return anndata.AnnData(X=chosen, obs=obs, var=pd.DataFrame(index=pd.Index(GENES)))


def spec(**columns: str) -> DatasetSpec:
    return DatasetSpec.own("mine", "x", **columns)


def features(kinds: list[str]) -> list[tuple[str, str, str]]:
    return list(zip([*IDS, "CD3"], [*GENES, "CD3"], kinds, strict=True))


KINDS = ["Gene Expression"] * 3 + ["Antibody Capture"]
WITH_PROTEIN = np.hstack([X, np.array([[7], [8], [9], [10]], dtype=np.float32)])


def as_10x_h5(path: Path) -> Path:
    matrix = sparse.csr_matrix(WITH_PROTEIN)
    with h5py.File(path / "x.h5", "w") as file:
        group = file.create_group("matrix")
        group["shape"] = [4, 4]
        group["data"], group["indices"] = matrix.data.astype(np.int32), matrix.indices
        group["indptr"] = matrix.indptr
        group["barcodes"] = np.array(CELLS, dtype="S")
        for key, i in (("id", 0), ("name", 1), ("feature_type", 2)):
            group[f"features/{key}"] = np.array([row[i] for row in features(KINDS)], dtype="S")
    return path / "x.h5"


def as_10x_mtx(path: Path) -> Path:
    with gzip.open(path / "features.tsv.gz", "wt") as file:
        file.writelines("\t".join(row) + "\n" for row in features(KINDS))
    with gzip.open(path / "barcodes.tsv.gz", "wt") as file:
        file.writelines(f"{cell}\n" for cell in CELLS)
    io.mmwrite(path / "matrix.mtx", sparse.coo_matrix(WITH_PROTEIN.T.astype(int)))
    return path


def as_csv(path: Path) -> Path:
    pd.DataFrame(X.T, index=GENES, columns=CELLS).to_csv(path / "x.csv.gz")
    return path / "x.csv.gz"


def as_h5ad(path: Path) -> Path:
    adata().write_h5ad(path / "x.h5ad")
    return path / "x.h5ad"


def as_dense_h5ad(path: Path) -> Path:
    adata(X).write_h5ad(path / "x.h5ad")
    return path / "x.h5ad"


def as_csc_h5ad(path: Path) -> Path:
    adata(sparse.csc_matrix(X)).write_h5ad(path / "x.h5ad")
    return path / "x.h5ad"


def as_zarr(path: Path) -> Path:
    adata().write_zarr(path / "x.zarr")
    return path / "x.zarr"


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data")
@pytest.mark.parametrize(
    "write", [as_10x_h5, as_10x_mtx, as_csv, as_h5ad, as_dense_h5ad, as_csc_h5ad, as_zarr]
)
def test_every_format_gives_the_same_cells(write: Callable[[Path], Path], tmp_path: Path) -> None:
    got = read(write(tmp_path), spec())
    assert sparse.issparse(got.X)
    assert got.X.format == "csr"
    np.testing.assert_array_equal(got.X.toarray(), X)
    assert list(got.obs_names) == CELLS
    assert list(got.var_names) == GENES
    if write in (as_10x_h5, as_10x_mtx):
        assert list(got.var["gene_ids"]) == IDS
        assert list(got.obsm["protein"]["CD3"]) == [7, 8, 9, 10]


def test_a_dense_matrix_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_ROWS", 3)
    np.testing.assert_array_equal(read(as_dense_h5ad(tmp_path), spec()).X.toarray(), X)


def test_layers_and_raw(tmp_path: Path) -> None:
    made = adata(sparse.csr_matrix(np.log1p(X)))
    made.layers["counts"] = sparse.csr_matrix(X)
    made.raw = adata(sparse.csr_matrix(X * 2))
    made = made[:, :2].copy()
    made.write_h5ad(tmp_path / "x.h5ad")
    path = tmp_path / "x.h5ad"
    np.testing.assert_array_equal(read_h5ad(path, spec(layer="counts")).X.toarray(), X[:, :2])
    raw = read_h5ad(path, spec(layer="raw"))
    np.testing.assert_array_equal(raw.X.toarray(), X * 2)
    assert list(raw.var_names) == GENES
    assert list(raw.uns["layers"]) == ["counts", "raw"]
    with pytest.raises(DataError, match="no layer 'count'.*did you mean 'counts'"):
        read_h5ad(path, spec(layer="count"))


@pytest.mark.parametrize("name", ["x.h5ad", "x.h5", "x.csv"])
def test_a_damaged_file_is_a_data_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89nothing of the kind\n1,2\n")
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        read(tmp_path / name, spec())


def test_a_truncated_h5ad_is_a_data_error(tmp_path: Path) -> None:
    path = as_h5ad(tmp_path)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DataError, match="cannot be read"):
        read(path, spec())


def test_unknown_kinds_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(DataError, match="unknown kind of file"):
        read(tmp_path / "x.txt", spec())
    with pytest.raises(DataError, match="holds no features.tsv"):
        read(tmp_path, spec(format="10x_mtx"))


def test_prepare_links_to_own_h5ad_and_converts_the_rest(tmp_path: Path) -> None:
    own = DatasetSpec.own("mine", str(as_h5ad(tmp_path)))
    prepare(own, tmp_path / "cache", [], tmp_path / "linked.h5ad")
    assert os.path.islink(tmp_path / "linked.h5ad")
    own = DatasetSpec.own("mine", str(as_csv(tmp_path)))
    prepare(own, tmp_path / "cache", [], tmp_path / "made.h5ad")
    np.testing.assert_array_equal(read_h5ad(tmp_path / "made.h5ad", own).X.toarray(), X)


def test_what_was_converted_has_its_counts_in_x(tmp_path: Path) -> None:
    made = adata(sparse.csr_matrix(np.log1p(X)))
    made.layers["counts"] = sparse.csr_matrix(X)
    made.obsm["protein_expression"] = np.ones((4, 1))
    made.uns["protein_names"] = np.array(["CD3_TotalSeqB"])
    made.write_h5ad(tmp_path / "x.h5ad")
    own = DatasetSpec.own("mine", str(tmp_path / "x.h5ad"), layer="counts")
    own = own.model_copy(update={"joins": (Join(kind="protein_obsm"),)})
    prepare(own, tmp_path / "cache", [], tmp_path / "raw.h5ad")
    got = read_h5ad(tmp_path / "raw.h5ad", own)
    np.testing.assert_array_equal(got.X.toarray(), X)
    assert list(got.obsm["protein"].columns) == ["CD3"]
