"""Small files of cells as a user has them, and a model of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData

from selfcell.api import EMBEDDING, Model
from selfcell.data.cells import log_normalise
from selfcell.data.synth import synthesise
from selfcell.pretraining import pretrain

SETTINGS = {
    "hidden": (16, 8), "steps": 60, "batch": 32, "lr": 3e-3, "genes": 80, "min_genes": 1,
}  # fmt: skip


def user_cells(n: int = 240) -> AnnData:
    """Counts of 96 genes, var names symbols, var column `ensembl`, obs columns `cell_type` and
    `donor`."""
    made = synthesise(cells=n, identity=8, nuisance=4, genes_each=8, types=4, signal=1.2, own=0.5)
    ids = [f"ENSG{i:011d}" for i in range(len(made.symbols))]
    obs = pd.DataFrame(
        {"cell_type": [f"type{i}" for i in made.label_N], "donor": [f"d{i % 3}" for i in range(n)]},
        index=[f"cell{i}" for i in range(n)],
    )
    var = pd.DataFrame({"ensembl": ids}, index=pd.Index(list(made.symbols)))
    return AnnData(made.count_NG, obs=obs, var=var)


def small_model(cells: AnnData) -> Model:
    """A model of these cells, trained for two seconds."""
    return pretrain(cells, gene_ids="ensembl", **SETTINGS)


def embedding(model: Model, cells: AnnData, **options: object) -> np.ndarray:
    """What `embed` writes."""
    model.embed(cells, **options)
    return cells.obsm[EMBEDDING]


def in_layer(cells: AnnData) -> AnnData:
    """The counts in a layer, something else in X."""
    cells.layers["counts"] = cells.X.copy()
    cells.X = log_normalise(cells.X, np.asarray(cells.X.sum(axis=1)).ravel())
    return cells
