"""The health table: what each model.json says, and nothing where a run diverged."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from selfcell.errors import DataError
from selfcell.methods.base import Health
from selfcell.stats.health import HEALTH, MEASURES, health


def model(folder: Path, method: str, found: Health | None) -> Path:
    """A model folder as `tasks.model.save` describes it."""
    folder.mkdir()
    spec = {"study": "made", "corpus": {"name": "c"}, "method": method, "seed": 1}
    about = {"spec": spec, "status": found.status if found else "diverged"}
    about["health"] = vars(found) if found else None
    if method == "gp_to_tf":
        about["gene_sets"] = "800 of 1115 sets resolved"
    (folder / "model.json").write_text(json.dumps(about))
    return folder


def test_one_row_a_model_with_all_that_its_gate_measured(tmp_path: Path) -> None:
    skill = Health("skill", 0.2, 0.05, 21.0, 0.3, difficulty=1.1)
    pairs = Health("retrieval", 8.0, 10.0, 12.0, 0.9, alignment=0.4, uniformity=-1.5)
    folders = [
        model(tmp_path / "a", "random_mask", skill),
        model(tmp_path / "b", "byol", pairs),
        model(tmp_path / "c", "simclr", None),
    ]
    HEALTH.write(health(folders), tmp_path / "health.parquet")
    rows = pd.read_parquet(tmp_path / "health.parquet").set_index("method")
    assert list(rows.index) == ["byol", "random_mask", "simclr"]
    assert dict(rows.status) == {"byol": "not_learned", "random_mask": "ok", "simclr": "diverged"}
    assert dict(rows.gate) == {"byol": "retrieval", "random_mask": "skill", "simclr": "none"}
    assert rows.loc["random_mask", list(MEASURES[:5])].tolist() == [0.2, 0.05, 21.0, 0.3, 1.1]
    assert rows.loc["byol", ["value", "alignment", "uniformity"]].tolist() == [8.0, 0.4, -1.5]
    assert rows[["difficulty", "alignment"]].isna().sum().tolist() == [2, 2]
    assert rows.loc["simclr", list(MEASURES)].isna().all()


def test_what_was_kept_of_gene_sets_is_told(tmp_path: Path) -> None:
    skill = Health("skill", 0.2, 0.05, 21.0, 0.3, difficulty=1.1)
    found = health([model(tmp_path / name, name, skill) for name in ("gp_to_tf", "random_mask")])
    assert list(found.gene_sets) == ["800 of 1115 sets resolved", ""]
    found.drop(columns="gene_sets").to_parquet(tmp_path / "health.parquet")
    assert set(HEALTH.read(tmp_path / "health.parquet").gene_sets) == {""}


def test_every_measure_of_the_gate_is_a_column() -> None:
    fields = set(Health.__dataclass_fields__) - {"kind"}
    assert fields == set(MEASURES)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no model\.json"):
        health([tmp_path])
