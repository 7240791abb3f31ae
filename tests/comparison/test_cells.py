"""A reader's file is looked at before anything is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from selfcell.comparison.cells import look, told
from selfcell.errors import DataError
from selfcell.provenance import sha256_file
from tests.cells import user_cells


def saved(cells: AnnData, folder: Path) -> Path:
    """The cells as a file."""
    path = folder / "my cells (2).h5ad"
    cells.write_h5ad(path)
    return path


def test_what_is_found(tmp_path: Path) -> None:
    cells = user_cells()
    cells.obs["cell_type"] = cells.obs["cell_type"].replace("type3", "Müller, réti")
    path = saved(cells, tmp_path)
    found = look(path, "mine", "cell_type", "donor", gene_ids="ensembl", min_test=10)
    assert (found.n_cells, found.n_genes, found.min_genes) == (240, 96, 9)
    assert found.sha256 == sha256_file(path) and found.path.is_absolute()
    assert set(found.types) == {"Müller, réti", "type0", "type1", "type2"}
    assert told(found)["left_out"] == {}


def test_rare_types_are_told_beforehand(tmp_path: Path) -> None:
    cells = user_cells()
    names = cells.obs["cell_type"].to_numpy(object)
    names[:4], names[4:6] = "rare", ""
    cells.obs["cell_type"] = names
    found = look(saved(cells, tmp_path), "mine", "cell_type")
    assert found.left_out == {"rare": "rare in training"} and "rare" not in found.types


def test_a_selection_of_genes_lowers_what_a_cell_must_show(tmp_path: Path) -> None:
    path = saved(user_cells(), tmp_path)
    assert look(path, "mine", "cell_type").min_genes == 9
    wide = AnnData(np.ones((60, 5000), np.float32))
    wide.obs["cell_type"] = ["a", "b"] * 30
    assert look(saved(wide, tmp_path), "mine", "cell_type").min_genes == 200


def mouse(cells: AnnData) -> None:
    cells.var_names = [f"Gene{chr(97 + i % 26)}{i}" for i in range(cells.n_vars)]


def floats(cells: AnnData) -> None:
    cells.X = cells.X * 1.5


def one_donor(cells: AnnData) -> None:
    cells.obs["donor"] = "d0"


def two_named(cells: AnnData) -> None:
    cells.obs["cell_type"] = pd.Categorical(["a"] * (cells.n_obs - 1) + ["b"])


def one_name(cells: AnnData) -> None:
    cells.obs_names = ["c"] * cells.n_obs


def empty(cells: AnnData) -> None:
    cells.obs["cell_type"] = "nan"


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (mouse, "look like mouse"),
        (floats, "holds non-integers"),
        (one_donor, "'donor' holds 1 donors or batches"),
        (two_named, "1 usable types; left out: b"),
        (one_name, "1 duplicated cell names"),
        (empty, "'cell_type' is empty for every cell"),
    ],
)
def test_what_cannot_be_used_is_refused(
    spoil: Callable[[AnnData], None], said: str, tmp_path: Path
) -> None:
    cells = user_cells(120)
    spoil(cells)
    with pytest.raises(DataError, match=said):
        look(saved(cells, tmp_path), "mine", "cell_type", "donor")


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = saved(user_cells(60), tmp_path)
    with pytest.raises(DataError, match="did you mean 'cell_type'.*--labels"):
        look(path, "mine", "celltype")
    with pytest.raises(DataError, match="did you mean 'donor'.*--batch"):
        look(path, "mine", "cell_type", "donors")
    with pytest.raises(DataError, match="does not exist"):
        look(tmp_path / "absent.h5ad", "mine", "cell_type")


def test_the_sides_are_those_of_the_study(tmp_path: Path) -> None:
    """Donors are drawn by the study's name, and so are the types that are told."""
    from selfcell.comparison.cells import split
    from selfcell.data.specs import LabelSpec, SplitSpec
    from selfcell.data.splits import make_split

    cells = user_cells(200)
    names = cells.obs["cell_type"].to_numpy(object)
    names[(cells.obs["donor"] == "d0") & (np.arange(200) % 2 == 0)] = "only d0"
    cells.obs["cell_type"] = names
    path = saved(cells, tmp_path)
    for study in ("a", "b", "c", "d"):
        found = look(path, study, "cell_type", "donor")
        obs = cells.obs.rename(columns={"cell_type": "label"}).assign(batch="", condition="")
        spec = SplitSpec(target=study, dataset=study, **split("donor"))
        made = make_split(obs.astype(str), spec, LabelSpec())
        assert list(found.types) == made["classes"]
        assert found.left_out == {row["label"]: row["reason"] for row in made["left_out"]}
