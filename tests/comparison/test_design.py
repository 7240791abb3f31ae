"""The study of a reader's cells is one that the workflow takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def made(effort: str, **options: Any) -> dict[str, Any]:
    """The study of the file, as it is read back."""
    text = yaml.safe_dump(configuration(cells(), "mine", effort, **options))
    read: dict[str, Any] = yaml.safe_load(text)
    return read


@pytest.mark.parametrize("effort", EFFORTS)
def test_every_effort_is_a_study(effort: str) -> None:
    asked, study = EFFORTS[effort], Study(from_mapping(made(effort)))
    own = [model for model in study.models() if model.corpus == "mine_pool"]
    assert len(own) == len(asked.methods) * asked.seeds
    assert bool(study.fine_tunes()) == bool(asked.tuned)
    assert (study.datasets["mine"].layer, study.datasets["mine"].donor) == ("counts", "donor")
    assert study.targets["mine"].split_spec().by == "donor"


def test_more_effort_is_more_work() -> None:
    studies = [Study(from_mapping(made(name))) for name in EFFORTS]
    numbers = [len(study.models()) + len(study.fine_tunes()) for study in studies]
    assert numbers == sorted(set(numbers))


def test_without_donors_cells_are_divided() -> None:
    few = configuration(cells(batch="", n_cells=500, n_genes=300), "mine", "quick")
    study = Study(from_mapping(few))
    assert study.targets["mine"].split_spec().by == "cell"
    assert (study.config.quality.min_genes, study.config.pretraining.batch) == (30, 64)
    assert study.datasets["mine"].max_cells == 20_000
    assert configuration(cells(), "mine", "quick", max_cells=0)["datasets"][0]["max_cells"] == 0


def test_other_corpora_are_files_or_data_sets_of_the_study(tmp_path: Path) -> None:
    other = tmp_path / "other cells.h5ad"
    other.write_bytes(b"")
    options = {"corpora": ["kang", str(other)], "corpus_layer": "counts"}
    study = Study(from_mapping(made("default", **options)))
    assert list(study.corpora) == ["mine_pool", "kang", "other-cells"]
    assert study.targets["mine"].corpora == ["mine_pool", "kang", "other-cells"]
    assert study.datasets["other-cells"].layer == "counts"
    with pytest.raises(ConfigError, match="no such file.*did you mean 'kang'"):
        made("default", corpora=["kangg"])
    with pytest.raises(ConfigError, match="the study, or another corpus, has that name.*--name"):
        made("default", corpora=["kang", "kang"])


def test_names_are_numbered_where_they_are_taken(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "mine.h5ad").write_bytes(b"")
    corpora = [str(tmp_path / place / "mine.h5ad") for place in ("a", "b")]
    one = made("quick", corpora=corpora, models={Path("/m/mine"): "mine", Path("/n"): "mine_pool"})
    from_mapping(one)
    names = [entry["name"] for entry in [*one["corpora"], *one["models"]]]
    assert names == ["mine_pool", "mine-2", "mine-3", "mine-4", "mine_pool-2"]


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown effort 'quik'.*did you mean 'quick'"):
        configuration(cells(), "mine", "quik")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("mine.h5ad", "mine"), ("my cells (2).h5ad", "my-cells-2"), ("Zellen-für-uns.v2.h5ad",
        "Zellen-f-r-uns"), ("é.h5ad", "cells"), ("released.h5ad", "cells"), ("own", "cells"),
        ("blood_shuffled.h5ad", "blood"), ("_shuffled", "shuffled"),
    ],
)  # fmt: skip
def test_a_name_out_of_a_files(file: str, name: str) -> None:
    assert name_of(Path(file)) == name
    from_mapping(configuration(cells(), name))
