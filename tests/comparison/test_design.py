"""The study of a reader's cells is one that the workflow takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from selfcell.comparison.cells import Cells
from selfcell.comparison.design import EFFORTS, configuration, name_of
from selfcell.config import from_mapping
from selfcell.errors import ConfigError
from selfcell.study import Study


def cells(**changed: object) -> Cells:
    """A file as `look` finds it."""
    fields = {
        "path": Path("/data/mine.h5ad"), "sha256": "0" * 64, "labels": "cell_type",
        "batch": "donor", "layer": "counts", "gene_ids": "", "n_cells": 3000, "n_genes": 20_000,
        "types": ("a", "b"), "left_out": {},
    }  # fmt: skip
    return Cells(**fields | changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("effort", EFFORTS)
def test_every_effort_is_a_study(effort: str) -> None:
    asked, made = EFFORTS[effort], configuration(cells(), "mine", effort)
    study = Study(from_mapping(yaml.safe_load(yaml.safe_dump(made))))
    own = [model for model in study.models() if model.corpus == "mine_pool"]
    assert len(own) == len(asked.methods) * asked.seeds
    assert bool(study.fine_tunes()) == bool(asked.tuned)
    assert (study.datasets["mine"].layer, study.datasets["mine"].donor) == ("counts", "donor")
    assert study.targets["mine"].split_spec().by == "donor"


def test_more_effort_is_more_work() -> None:
    made = [Study(from_mapping(configuration(cells(), "mine", name))) for name in EFFORTS]
    numbers = [len(study.models()) + len(study.fine_tunes()) for study in made]
    assert numbers == sorted(set(numbers))


def test_without_donors_cells_are_divided() -> None:
    made = configuration(cells(batch="", n_cells=500, n_genes=300), "mine", "quick")
    study = Study(from_mapping(made))
    assert study.targets["mine"].split_spec().by == "cell"
    assert (study.config.quality.min_genes, study.config.pretraining.batch) == (30, 64)
    assert study.datasets["mine"].max_cells == 20_000
    assert configuration(cells(), "mine", "quick", max_cells=0)["datasets"][0]["max_cells"] == 0


def test_other_corpora_are_files_or_data_sets_of_the_study(tmp_path: Path) -> None:
    other = tmp_path / "other cells.h5ad"
    other.write_bytes(b"")
    made = configuration(cells(), "mine", "default", ["kang", str(other)], "counts")
    study = Study(from_mapping(made))
    assert list(study.corpora) == ["mine_pool", "kang", "other-cells"]
    assert study.targets["mine"].corpora == ["mine_pool", "kang", "other-cells"]
    assert study.datasets["other-cells"].layer == "counts"
    with pytest.raises(ConfigError, match="no such file.*did you mean 'kang'"):
        configuration(cells(), "mine", "default", ["kangg"])


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown effort 'quik'.*did you mean 'quick'"):
        configuration(cells(), "mine", "quik")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("mine.h5ad", "mine"), ("my cells (2).h5ad", "my-cells-2"), ("Zellen-für-uns.v2.h5ad",
        "Zellen-f-r-uns"), ("é.h5ad", "cells"), ("released.h5ad", "cells"), ("own", "cells"),
    ],
)  # fmt: skip
def test_a_name_out_of_a_files(file: str, name: str) -> None:
    assert name_of(Path(file)) == name
    from_mapping(configuration(cells(), name))
