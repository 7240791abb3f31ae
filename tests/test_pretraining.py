"""A model pre-trained on one's own cells, in memory or in a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import selfcell
from selfcell.convert import to_store
from selfcell.data.store import Store
from selfcell.errors import ConfigError, DataError, StoreError
from tests.cells import SETTINGS, embedding, in_layer, small_model, user_cells


def test_pretraining_is_repeatable_and_leaves_the_cells_alone() -> None:
    model, cells = small_model(user_cells()), user_cells()
    again = small_model(cells)
    for name, value in model.trained.encoder.state_dict().items():
        assert torch.equal(value, again.trained.encoder.state_dict()[name]), name
    assert (cells.X != user_cells().X).nnz == 0
    assert list(cells.obs) == ["cell_type", "donor"] and not cells.obsm
    assert all(gene.startswith("ENSG") for gene in again.trained.gene_ids)
    assert again.trained.about["corpus"]["n_cells"] == cells.n_obs


def test_pretraining_on_symbols_alone_and_with_gene_sets(tmp_path: Path) -> None:
    cells = user_cells()
    names = list(cells.var_names)
    sets = [names[i : i + 8] for i in range(0, 96, 8)]
    lines = [f"set{i}\tna\t" + "\t".join(genes) for i, genes in enumerate(sets)]
    (tmp_path / "sets.gmt").write_text("\n".join(lines) + "\n")
    options = {**SETTINGS, "steps": 2}
    made = selfcell.pretrain(
        cells, "gene_programme", gene_sets=tmp_path / "sets.gmt", params={"min_genes": 2}, **options
    )
    assert set(made.trained.gene_ids) <= set(names)
    assert embedding(made, cells).shape == (240, 8)


def test_pretraining_with_a_gene_table(tmp_path: Path) -> None:
    cells = user_cells()
    table = pd.DataFrame({"ensembl": cells.var["ensembl"], "symbol": cells.var_names})
    table["biotype"] = ["protein_coding", "lncRNA"] * 48
    table.assign(earlier="").to_csv(tmp_path / "genes.csv", index=False)
    options = {**SETTINGS, "steps": 2}
    made = selfcell.pretrain(cells, gene_table=tmp_path / "genes.csv", **options)
    assert set(made.trained.gene_ids) == set(cells.var["ensembl"][::2])
    cells.var_names = [f"no{name}" for name in cells.var_names]
    with pytest.raises(DataError, match="known human genes"):
        selfcell.pretrain(cells, gene_table=tmp_path / "genes.csv", **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "radom_mask"}, "did you mean 'random_mask'"),
        ({"params": {"rat": 0.3}}, "did you mean 'rate'"),
        ({"steps": 0}, r"0 is outside \[1"),
        ({"hidden": ()}, "hidden"),
        ({"genes": -1}, "corpus_genes"),
        ({"device": "gpu"}, "device: a GPU is called 'cuda' here"),
        ({"minutes": 0}, r"max_minutes: 0 is outside \(0"),
    ],
)
def test_wrong_settings_of_pretraining(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        selfcell.pretrain(user_cells(20), **options)


def test_pretraining_needs_counts() -> None:
    with pytest.raises(DataError, match="set `layer: counts`"):
        selfcell.pretrain(in_layer(user_cells()), **SETTINGS)


def test_a_store_gives_the_model_that_its_cells_give(tmp_path: Path) -> None:
    """Quality control takes none of these cells out, so both train on the same."""
    cells = user_cells()
    to_store(cells, tmp_path / "cells.store", {}, gene_ids="ensembl")
    options = {name: value for name, value in SETTINGS.items() if name != "min_genes"}
    stored = selfcell.pretrain(tmp_path / "cells.store", **options)
    assert stored.trained.about["corpus"]["n_cells"] == cells.n_obs
    plain = small_model(cells)
    assert stored.trained.gene_ids == plain.trained.gene_ids
    found = embedding(stored, cells)
    opened = selfcell.pretrain(Store.open(tmp_path / "cells.store"), **options)
    assert np.isfinite(found).all() and np.array_equal(embedding(opened, cells), found)


def test_options_that_do_not_go_with_a_store_are_refused(tmp_path: Path) -> None:
    to_store(user_cells(60), tmp_path / "cells.store", {})
    with pytest.raises(ConfigError, match="layer, min_genes with the store .*leave that out"):
        selfcell.pretrain(tmp_path / "cells.store", layer="counts", min_genes=0)
    with pytest.raises(StoreError, match="store"):
        selfcell.pretrain(tmp_path)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    user_cells(60).write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(ConfigError, match=r"is a file; needed: AnnData.*read_h5ad\("):
        selfcell.pretrain(str(tmp_path / "cells.h5ad"))
