"""Small data sets in the form that quality control writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from selfcell.data.specs import CorpusSpec, LabelSpec, SplitSpec
from selfcell.data.splits import make_split
from selfcell.data.store import Store
from selfcell.data.writer import write_store
from selfcell.keys import generator

TYPES = ("alpha", "beta", "delta")
FEW = LabelSpec(min_test=5, draws=3)


def gene_ids(numbers: Sequence[int]) -> list[str]:
    """Ensembl-like ids."""
    return [f"ENSG{number:011d}" for number in numbers]


def make_cells(
    dataset: str = "a", n: int = 120, genes: Sequence[int] = range(40), **columns: Any
) -> AnnData:
    """Cells of three types, each with genes of its own; `columns` replace columns of obs."""
    rng = generator("cells", dataset)
    kind = rng.integers(len(TYPES), size=n)
    rate = rng.gamma(2.0, 4.0, size=len(genes)) * np.where(
        np.asarray(genes)[None, :] % 3 == kind[:, None], 6.0, 1.0
    )
    counts = rng.poisson(rate).astype(np.float32)
    counts[rng.uniform(size=counts.shape) < 0.3] = 0
    counts[0, :3] = 255, 256, 70_000
    obs = pd.DataFrame(
        {
            "label": np.array(TYPES)[kind],
            "donor": [f"d{i % 4}" for i in range(n)],
            "batch": ["unknown"] * n,
            "condition": ["CTRL" if i % 2 else "STIM" for i in range(n)],
            "ontology": [""] * n,
            "total_counts": counts.sum(axis=1).astype(int) + 7,
        },
        index=[f"{dataset}:cell{i}" for i in range(n)],
    )
    for name, values in columns.items():
        obs[name] = values
    var = pd.DataFrame({"symbol": [f"S{i}" for i in genes]}, index=gene_ids(genes))
    return AnnData(sparse.csr_matrix(counts), obs=obs, var=var)


def vocabulary(numbers: Sequence[int]) -> pd.DataFrame:
    """A vocabulary of these genes."""
    return pd.DataFrame({"gene_id": gene_ids(numbers), "symbol": [f"S{i}" for i in numbers]})


def make_store(
    folder: Path, cells: AnnData, name: str = "a", genes: Sequence[int] = range(40)
) -> Store:
    """The cells as an open store."""
    write_store(cells, vocabulary(genes), folder / name)
    return Store.open(folder / name)


def split_of(cells: AnnData, labels: LabelSpec = FEW, **spec: Any) -> dict[str, Any]:
    """A split; by default donors d0 and d1 train, d2 and d3 test."""
    default = {
        "target": "t",
        "dataset": "a",
        "kind": "column",
        "column": "donor",
        "train": ["d0", "d1"],
        "test": ["d2", "d3"],
    }
    if "kind" in spec:
        default = {"target": "t", "dataset": "a"}
    return make_split(cells.obs, SplitSpec.model_validate({**default, **spec}), labels)


def corpus_of(
    sources: Sequence[Mapping[str, Any]] = ({"dataset": "a"},), **spec: Any
) -> CorpusSpec:
    """A corpus of all cells of data set a, evaluated on target t."""
    return CorpusSpec.model_validate({"name": "c", "targets": ["t"], "sources": sources, **spec})
