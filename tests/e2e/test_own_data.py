"""The template for the reader's own cells, filled in and run to its figures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from anndata import AnnData
from scipy import io as io_mtx
from scipy import sparse

from selfcell.figures import FIGURES
from selfcell.keys import generator
from selfcell.stats import table
from tests.e2e.project import SMOKE, Project

pytestmark = pytest.mark.slow

TEMPLATE = "configs/own-data.yaml"
TYPES = ("T cell", "B cell", "Monocyte, CD14+")  # names as people write them


def own_cells(genes: pd.DataFrame, path: Path) -> None:
    """Cells of three types and four donors, raw counts in a layer, genes by symbol."""
    symbols = genes.symbol[(genes.biotype == "protein_coding") & ~genes.symbol.duplicated()][:600]
    rng = generator("own cells")
    kind = np.arange(240) % len(TYPES)
    own = np.arange(len(symbols))[None, :] % len(TYPES) == kind[:, None]
    counts = rng.poisson(rng.gamma(2.0, 0.5, len(symbols)) * np.where(own, 3.0, 1.0))
    obs = pd.DataFrame({"cell_type": np.array(TYPES)[kind]}, index=[f"c{i}" for i in range(240)])
    obs["donor"] = rng.choice(["P-1", "P-2", "P-3", "P-4"], 240)
    matrix = sparse.csr_matrix(counts.astype(np.float32))
    cells = AnnData(matrix.log1p(), obs=obs, var=pd.DataFrame(index=pd.Index(symbols)))
    cells.layers["counts"] = matrix
    cells.write_h5ad(path)


def filled_in(template: str, path: Path) -> dict[str, Any]:
    """The template on a file, with budgets for a test."""
    study: dict[str, Any] = yaml.safe_load(template)
    mine, kang = study["datasets"]
    mine.update(path=str(path), layer="counts")
    kang["max_cells"] = 300
    study["labels"].update(regimes=[3], draws=2, min_test=5)
    study["network"] = {"hidden": [32, 16]}
    study["pretraining"].update(steps=20, batch=32, seeds=[0])
    study["fine_tuning"]["regimes"] = [{"labels": 3, "draws": 1}]
    study["vocabulary"] = {"corpus_genes": 200, "target_genes": 200, "transcription_factors": False}
    return study


def test_own_cells_give_scores_and_figures(smoke: Project, checkout: Path) -> None:
    genes = pd.read_csv(io.BytesIO(smoke.result("reference/genes.csv.gz")), compression="gzip")
    own_cells(genes, checkout / "folder of mine.h5ad")
    study = filled_in((checkout / TEMPLATE).read_text(), checkout / "folder of mine.h5ad")
    (checkout / "my-study.yaml").write_text(yaml.safe_dump(study))
    project = Project(checkout, "my-study.yaml")
    project.run()
    scores = table.read(checkout / "results" / "own" / "scores.parquet")
    assert set(scores.corpus[scores.init == "pretrained"]) == {"mine_pool", "kang_ctrl"}
    assert set(scores.label[scores.level == "type"]) == set(TYPES)
    perfect = scores[(scores.method == "perfect") & (scores.metric == "macro_f1")]
    assert (perfect.value == 1).all()
    for name in FIGURES:
        assert (checkout / "results" / "own" / "figures" / f"{name}.pdf").is_file()
    assert "Nothing to be done" in project.run().stdout


@pytest.mark.parametrize("form", ["zarr", "h5ad", "10x_mtx"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2 data")
def test_a_source_that_is_replaced_in_place_is_read_anew(checkout: Path, form: str) -> None:
    study = yaml.safe_load((checkout / SMOKE).read_text())
    path, raw = checkout / ("mine" if form == "10x_mtx" else f"mine.{form}"), "data/baron/raw.h5ad"
    study["datasets"][0] = {"name": "baron", "path": path.name, "label": "t", "donor": "d"}
    (checkout / "own.yaml").write_text(yaml.safe_dump(study))
    project = Project(checkout, "own.yaml")
    for count in (1.0, 2.0):
        put(AnnData(np.full((4, 3), count, np.float32)), path, form)
        project.run(f"results/smoke/{raw}")
        assert anndata.read_h5ad(checkout / "results/smoke" / raw).X.max() == count
        assert "Nothing to be done" in project.run(f"results/smoke/{raw}").stdout


def put(cells: AnnData, path: Path, form: str) -> None:
    """Write cells, in the place of what stood there."""
    if form != "10x_mtx":
        getattr(cells, f"write_{form}")(path)
        return
    path.mkdir(exist_ok=True)
    io_mtx.mmwrite(path / "matrix.mtx", sparse.coo_matrix(cells.X.T.astype(int)))
    genes = "".join(f"ENSG{i:011d}\tG{i}\n" for i in range(cells.n_vars))
    (path / "genes.tsv").write_text(genes)
    (path / "barcodes.tsv").write_text("".join(f"{name}\n" for name in cells.obs_names))
