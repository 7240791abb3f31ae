"""Files of cells become stores and come back the same."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import io, sparse

from selfcell import cli
from selfcell.convert import to_h5ad, to_store
from selfcell.data.own import opened
from selfcell.data.store import Store
from selfcell.data.writer import write_store
from selfcell.errors import DataError, StoreError
from tests.cells import user_cells
from tests.data.factory import make_cells, vocabulary

COLUMNS = {"label": "cell_type", "donor": "donor"}


def as_h5ad(cells: AnnData, folder: Path) -> Path:
    """AnnData's own format."""
    cells.write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


def as_zarr(cells: AnnData, folder: Path) -> Path:
    """AnnData's other format."""
    cells.write_zarr(folder / "cells.zarr")
    return folder / "cells.zarr"


def as_mtx(cells: AnnData, folder: Path) -> Path:
    """A folder of Cell Ranger."""
    path = folder / "mtx"
    path.mkdir()
    io.mmwrite(path / "matrix.mtx", cells.X.T.tocoo())
    genes = zip(cells.var["ensembl"], cells.var_names, strict=True)
    lines = "".join(f"{gene}\t{name}\tGene Expression\n" for gene, name in genes)
    with gzip.open(path / "features.tsv.gz", "wt") as file:
        file.write(lines)
    (path / "barcodes.tsv").write_text("\n".join(cells.obs_names) + "\n")
    return path


def as_10x(cells: AnnData, folder: Path) -> Path:
    """The HDF5 file of Cell Ranger."""
    with h5py.File(folder / "cells.h5", "w") as file:
        group = file.create_group("matrix")
        group["shape"] = [cells.n_vars, cells.n_obs]
        X = cells.X.tocsr()
        group["data"], group["indices"], group["indptr"] = X.data.astype(int), X.indices, X.indptr
        group["barcodes"] = [name.encode() for name in cells.obs_names]
        group["features/id"] = [name.encode() for name in cells.var["ensembl"]]
        group["features/name"] = [name.encode() for name in cells.var_names]
        group["features/feature_type"] = [b"Gene Expression"] * cells.n_vars
    return folder / "cells.h5"


FORMS = {"h5ad": as_h5ad, "zarr": as_zarr, "mtx": as_mtx, "10x": as_10x}


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data")
@pytest.mark.parametrize("form", FORMS)
def test_counts_come_back_the_same_from_every_format(form: str, tmp_path: Path) -> None:
    cells = user_cells(50)
    path = FORMS[form](cells, tmp_path)
    columns = COLUMNS if form in ("h5ad", "zarr") else {}
    gene_ids = "ensembl" if columns else ""
    with opened(path) as read:
        report = to_store(read, tmp_path / "store", columns, gene_ids=gene_ids)
    assert (report["cells"], report["genes"]) == (50, 96)
    to_h5ad(tmp_path / "store", tmp_path / "back.h5ad", rows=7)
    back = anndata.read_h5ad(tmp_path / "back.h5ad")
    assert (back.X != cells.X).nnz == 0
    assert list(back.obs_names) == list(cells.obs_names)
    assert list(back.var_names) == list(cells.var["ensembl"])
    assert list(back.var["symbol"]) == list(cells.var_names)
    np.testing.assert_array_equal(back.obs["total_counts"], np.asarray(cells.X.sum(1)).ravel())
    for role, column in columns.items():
        assert list(back.obs[role]) == list(cells.obs[column])
    assert set(back.obs["batch"]) == {"unknown"}


def test_no_result_depends_on_the_size_of_a_block(tmp_path: Path) -> None:
    to_store(user_cells(50), tmp_path / "store", COLUMNS)
    whole = Store.open(tmp_path / "store").to_anndata()
    for rows in (1, 49, 50, 1000):
        to_h5ad(tmp_path / "store", tmp_path / f"{rows}.h5ad", rows)
        back = anndata.read_h5ad(tmp_path / f"{rows}.h5ad")
        assert (back.X != whole.X).nnz == 0 and back.X.shape == whole.shape
        pd.testing.assert_frame_equal(back.obs.astype(str), whole.obs.astype(str))


def test_large_counts_and_proteins_come_back(tmp_path: Path) -> None:
    cells = make_cells(n=30)
    cells.obsm["protein"] = pd.DataFrame({"CD3": np.arange(30)}, index=cells.obs_names)
    write_store(cells, vocabulary(range(40)), tmp_path / "store")
    to_h5ad(tmp_path / "store", tmp_path / "back.h5ad", 8)
    back = anndata.read_h5ad(tmp_path / "back.h5ad")
    assert back.X.max() == 70_000
    assert list(back.obsm["protein"]["CD3"]) == list(range(30))


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    report = to_store(user_cells(10), tmp_path / "store", {"label": "cell_type"})
    assert report["columns"] == {"label": "cell_type"}
    assert report["columns_left_out"] == ["donor"]


def bare(cells: AnnData) -> AnnData:
    """A cell without counts."""
    cells.X = sparse.csr_matrix(cells.X.multiply(np.arange(10)[:, None] != 4))
    return cells


def same_names(cells: AnnData) -> AnnData:
    """Two cells of one name."""
    cells.obs_names = ["a", "a", *cells.obs_names[2:]]
    return cells


def in_logs(cells: AnnData) -> AnnData:
    """No counts."""
    cells.X = cells.X.log1p()
    return cells


def nameless(cells: AnnData) -> AnnData:
    """Two genes of one name, neither with an Ensembl id."""
    cells.var["ensembl"] = ["", "", *cells.var["ensembl"][2:]]
    cells.var_names = ["A", "A", *cells.var_names[2:]]
    return cells


BAD = {
    "empty": (bare, {}, "cell cell4 holds no counts"),
    "twice": (same_names, {}, "stand twice"),
    "no counts": (in_logs, {}, "non-integers"),
    "nameless": (nameless, {}, "without Ensembl id stand twice"),
    "no column": (lambda cells: cells, {"donor": "dono"}, "no obs column 'dono'"),
}


@pytest.mark.filterwarnings("ignore:(Observation|Variable) names are not unique")
@pytest.mark.parametrize("case", BAD)
def test_bad_cells_are_refused_and_leave_nothing(case: str, tmp_path: Path) -> None:
    change, columns, said = BAD[case]
    with pytest.raises(DataError, match=said):
        to_store(change(user_cells(10)), tmp_path / "store", columns, gene_ids="ensembl")
    assert not list(tmp_path.iterdir())


def test_a_damaged_store_is_refused(tmp_path: Path) -> None:
    to_store(user_cells(10), tmp_path / "store", {})
    file = max((tmp_path / "store").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(StoreError, match="sha256"):
        to_h5ad(tmp_path / "store", tmp_path / "back.h5ad")
    assert not (tmp_path / "back.h5ad").exists()


def test_the_command_goes_both_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hook in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, hook, getattr(sys, hook))
    monkeypatch.chdir(tmp_path)
    as_h5ad(user_cells(20), tmp_path)
    cli.main(["convert", "cells.h5ad", "--out", "cells.store", "--label", "cell_type", "--json"])
    assert json.loads(capsys.readouterr().out)["columns"] == {"label": "cell_type"}
    cli.main(["convert", "cells.store", "--out", "back.h5ad"])
    assert "cells: 20" in capsys.readouterr().out
    assert (anndata.read_h5ad("back.h5ad").X != user_cells(20).X).nnz == 0
    with pytest.raises(SystemExit, match="2"):
        cli.main(["convert", "cells.store", "--out", "other.store"])
    assert "ends in .h5ad" in capsys.readouterr().err
