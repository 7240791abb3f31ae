"""The template for the reader's own cells, filled in and run to its figures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from anndata import AnnData
from scipy import sparse

from selfcell.figures import FIGURES
from selfcell.keys import generator
from selfcell.stats import table
from tests.e2e.project import Project

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
