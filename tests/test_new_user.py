"""Files as people have them: mouse genes, versions, few genes, floats, labels of many signs."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import selfcell
from selfcell import cli
from selfcell.api import EMBEDDING, LABEL
from selfcell.comparison.cells import look
from selfcell.data.own import fewest_genes
from selfcell.data.synth import synthesise
from selfcell.doctor import examine
from selfcell.errors import DataError
from tests.cells import user_cells

BRIEF = {"steps": 3, "batch": 32, "hidden": (8, 4), "genes": 80}
NAME = "Müller, réti"


def mouse_cells() -> AnnData:
    """The cells under symbols written as mouse genes are."""
    cells = user_cells()
    cells.var_names = [f"{name.capitalize().replace('_', '')}a{i}" for i, name in
                       enumerate(cells.var_names)]  # fmt: skip
    return cells


def test_mouse_symbols(tmp_path: Path) -> None:
    """What needs no knowledge of genes works; what would need human genes says so beforehand."""
    cells = mouse_cells()
    facts, findings = examine(cells)
    assert facts["species"] == "mouse"
    assert any("human orthologues" in each.remedy for each in findings)
    model = selfcell.pretrain(cells, **BRIEF)
    model.embed(cells)
    assert cells.obsm[EMBEDDING].shape == (240, 4)
    cells.write_h5ad(tmp_path / "mouse.h5ad")
    with pytest.raises(DataError, match=r"look like mouse .*human orthologues"):
        look(tmp_path / "mouse.h5ad", "mouse", "cell_type")
    with pytest.raises(DataError, match="0 of the model's 80 genes"):
        model.embed(user_cells())


def test_a_model_says_what_ended_its_training() -> None:
    made = selfcell.pretrain(user_cells(), minutes=1e-6, device="cpu", **BRIEF)
    about = made.trained.about
    assert (about["ended"], about["steps"], about["device"]) == ("max_minutes", 1, "cpu")


def test_ensembl_ids_with_versions(tmp_path: Path) -> None:
    cells, versioned = user_cells(), user_cells()
    versioned.var_names = [f"{name}.{i % 9 + 1}" for i, name in enumerate(cells.var["ensembl"])]
    model = selfcell.pretrain(versioned, **BRIEF)
    assert not any("." in gene for gene in model.trained.gene_ids)
    model.embed(versioned)
    model.embed(cells, gene_ids="ensembl")
    np.testing.assert_allclose(versioned.obsm[EMBEDDING], cells.obsm[EMBEDDING], atol=1e-5)
    assert examine(versioned)[0]["species"] == "human"
    versioned.write_h5ad(tmp_path / "v.h5ad")
    assert look(tmp_path / "v.h5ad", "v", "cell_type").n_genes == 96


def test_three_hundred_genes() -> None:
    """A panel: no cell shows 200 of its genes, and none is thrown away for that."""
    made = synthesise(cells=90, identity=25, nuisance=12, genes_each=8, types=3)
    counts = made.count_NG[:, :296].multiply(made.count_NG[:, :296] > 8).tocsr()
    counts.eliminate_zeros()
    cells = AnnData(counts, var=pd.DataFrame(index=list(made.symbols)[:296]))
    assert np.diff(counts.indptr).min() > 29 and np.diff(counts.indptr).max() < 200
    facts, _ = examine(cells)
    assert facts["fewest_genes"] == 29 and facts["cells_under_fewest_genes"] == 0
    assert selfcell.pretrain(cells, **BRIEF).trained.about["corpus"]["n_cells"] == 90
    assert [fewest_genes(n) for n in (0, 300, 2000, 30_000)] == [0, 30, 200, 200]


def test_floats() -> None:
    """Counts stored as floats are counts; other floats are refused, with the place of the first."""
    plain, cells = user_cells(), user_cells()
    cells.X = cells.X.astype(np.float64)
    model = selfcell.pretrain(plain, **BRIEF)
    for each in (plain, cells):
        model.embed(each)
    np.testing.assert_array_equal(cells.obsm[EMBEDDING], plain.obsm[EMBEDDING])
    cells.X = cells.X.log1p()
    facts, findings = examine(cells)
    assert "counts_in" not in facts
    assert any("cannot be turned back" in each.remedy for each in findings)
    with pytest.raises(DataError, match=r"non-integers \(first: .* at cell cell0 \(row 0\)"):
        model.embed(cells)


def test_a_label_of_many_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = user_cells()
    cells.obs["type, by hand"] = cells.obs["cell_type"].replace("type3", NAME)
    cells.write_h5ad("cells.h5ad")
    selfcell.pretrain(cells, **BRIEF).save(Path("model"))
    words = ["annotate", "cells.h5ad", "model", "--reference", "cells.h5ad"]
    words += ["--label", "type, by hand", "--out"]
    for out, read in (("o.csv", pd.read_csv), ("o.h5ad", lambda path: anndata.read_h5ad(path).obs)):
        with monkeypatch.context() as hooks:
            hooks.setattr("sys.excepthook", None)
            hooks.setattr("sys.unraisablehook", None)
            cli.main([*words, out])
        assert NAME in set(read(out)[LABEL])
    assert NAME in look(Path("cells.h5ad"), "mine", "type, by hand").types
