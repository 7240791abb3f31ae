"""Tables joined onto cells."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from selfcell.data.joins import (
    JOINS,
    TENX_ORDER,
    demuxlet,
    protein_csv,
    protein_h5ad,
    protein_labels,
)
from selfcell.data.registry import JoinKind
from selfcell.errors import DataError


def cells(names: list[str]) -> anndata.AnnData:
    obs = pd.DataFrame(index=pd.Index(names))
    return anndata.AnnData(X=sparse.csr_matrix((len(names), 2), dtype=np.float32), obs=obs)


def test_every_kind_has_its_join() -> None:
    assert set(JOINS) == set(get_args(JoinKind))


def calls(path: Path, rows: dict[str, str]) -> Path:
    lines = ["BARCODE\tN.SNP\tBEST", *(f"{cell}\t3\t{best}" for cell, best in rows.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_demuxlet_keeps_the_conditions_apart(tmp_path: Path) -> None:
    adata = cells(["AA.1", "CC.1", "AA.11"])
    adata.obs["stim"] = ["CTRL", "CTRL", "STIM"]
    ctrl = calls(tmp_path / "c", {"AA-1": "SNG-101", "CC-1": "DBL-1-2-0.5", "GG-1": "SNG-9"})
    stim = calls(tmp_path / "s", {"AA-1": "SNG-107"})
    demuxlet(adata, [ctrl, stim])
    assert list(adata.obs["donor"]) == ["101", "unknown", "107"]
    with pytest.raises(DataError, match="c lacks 1 cells, first AA-1"):
        demuxlet(adata, [calls(tmp_path / "c", {"CC-1": "SNG-1"}), stim])


def test_protein_csv_goes_by_barcode(tmp_path: Path) -> None:
    adata = cells(["a", "b"])
    table = pd.DataFrame([[1, 2], [3, 4]], index=["CD3_TotalSeqB", "CD4_TotalSeqB"])
    table.columns = pd.Index(["b", "a"])
    table.to_csv(tmp_path / "p.csv")
    protein_csv(adata, [tmp_path / "p.csv"])
    assert adata.obsm["protein"].loc["a"].to_dict() == {"CD3": 2, "CD4": 4}
    with pytest.raises(DataError, match="lacks proteins"):
        protein_csv(cells(["a", "z"]), [tmp_path / "p.csv"])


def test_protein_h5ad_goes_by_barcode(tmp_path: Path) -> None:
    other = cells(["b", "a"])
    other.var_names = ["CD3", "CD4"]
    other.layers["counts"] = sparse.csr_matrix(np.array([[1, 2], [3, 4]], dtype=np.float32))
    other.write_h5ad(tmp_path / "p.h5ad")
    adata = cells(["a", "b"])
    protein_h5ad(adata, [tmp_path / "p.h5ad"])
    assert adata.obsm["protein"].loc["a"].to_dict() == {"CD3": 3, "CD4": 4}
    with pytest.raises(DataError, match="other cells"):
        protein_h5ad(cells(["a", "z"]), [tmp_path / "p.h5ad"])


def test_labels_join_by_unique_equal_profiles(tmp_path: Path) -> None:
    profile = np.arange(14 * 5).reshape(5, 14)
    adata = cells(["match", "twin1", "twin2", "alone", "theirs"])
    ours = profile[[0, 1, 1, 3, 4]]
    # another order of columns than the label file's
    columns = TENX_ORDER[::-1]
    frame = pd.DataFrame(ours[:, ::-1], index=adata.obs_names, columns=columns)
    adata.obsm["protein"] = frame.astype(np.float32)
    with h5py.File(tmp_path / "l.h5", "w") as file:
        file["X2"] = profile[[0, 1, 2, 4, 4]].astype(float)
        file["Y"] = np.array([2.0, 4.0, 7.0, 1.0, 1.0])
    protein_labels(adata, [tmp_path / "l.h5"])
    assert list(adata.obs["label"]) == ["CD14 Mono", "", "", "", ""]
