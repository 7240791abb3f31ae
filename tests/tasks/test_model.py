"""Model folders: written, read back, refused where they are of another form; golden ones load."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import selfcell
from selfcell.errors import StoreError
from selfcell.tasks import model as folder
from tests.cells import embedding, small_model, user_cells
from tests.tree import REPO

GOLDENS = {n: REPO / "tests" / "golden" / f"model-{n}" for n in folder.READABLE}
GOLDEN = GOLDENS[folder.FORMAT]


def test_a_model_is_saved_and_read_back(tmp_path: Path) -> None:
    model = small_model(user_cells())
    model.save(tmp_path / "m")
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        "model.json", "weights.safetensors",
    }  # fmt: skip
    again = selfcell.load(tmp_path / "m")
    assert np.array_equal(embedding(again, user_cells()), embedding(model, user_cells()))
    assert again.trained.about == json.loads(json.dumps(model.trained.about))


def altered(source: Path, to: Path, **values: object) -> Path:
    """A copy of a model folder with other values in model.json."""
    about = json.loads((source / "model.json").read_text())
    to.mkdir()
    (to / "model.json").write_text(json.dumps(about | values))
    (to / "weights.safetensors").write_bytes((source / "weights.safetensors").read_bytes())
    return to


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"format": 4}, "update selfcell"),
        ({"format": "x"}, "model format 'x'"),
        ({"preprocessing": {"input": "counts", "scale": 1e6}}, "1000000"),
    ],
)
def test_other_formats_are_refused(values: dict, said: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=said):
        selfcell.load(altered(GOLDEN, tmp_path / "m", **values))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"spec": {}}, "'params'"),
        ({"spec": {"method": "byol", "params": {}, "network": {"hidden": [0]}}}, "not as it was"),
        ({"spec": {"method": "byol", "params": {}, "network": {"hidden": [16, 9]}}}, "not fit"),
        ({"spec": {"method": "byol", "params": {}, "network": {"hidden": [65536] * 4}}}, "not fit"),
        ({"gene_ids": "ENSG1"}, "lists of texts"),
        ({"symbols": ["A"]}, "each gene once"),
        ({"status": "fine"}, "status 'fine'"),
        ({"last": "sigmoid"}, "last 'sigmoid'"),
    ],
)
def test_a_model_json_of_another_form_is_refused(values: dict, said: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=said):
        selfcell.load(altered(GOLDEN, tmp_path / "m", **values))


def test_weights_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    about = json.loads((GOLDEN / "model.json").read_text())
    genes = about["gene_ids"][::-1]
    with pytest.raises(StoreError, match="another vocabulary"):
        selfcell.load(altered(GOLDEN, tmp_path / "a", gene_ids=genes))
    with pytest.raises(StoreError, match="another vocabulary"):
        selfcell.load(
            altered(GOLDEN, tmp_path / "b", gene_ids=genes, vocabulary=folder.short_hash(genes))
        )


@pytest.mark.parametrize("number", range(1, folder.FORMAT + 1))
def test_there_is_a_golden_model_of_every_format(number: int) -> None:
    path = GOLDEN.with_name(f"model-{number}")
    assert json.loads((path / "model.json").read_text())["format"] == number
    if number not in folder.READABLE:  # it lacks symbols, preprocessing and the vocabulary's hash
        needed = f"format {number}; needed: format 2 or 3; remedy: pre-train it again"
        with pytest.raises(StoreError, match=needed):
            selfcell.load(path)


@pytest.mark.parametrize("number", GOLDENS)
def test_the_golden_model_of_every_format_embeds_as_it_did(number: int) -> None:
    path = GOLDENS[number]
    assert sum(each.stat().st_size for each in path.iterdir()) < 100_000
    golden = selfcell.load(path)
    assert golden.trained.about["format"] == number
    made = json.loads((path / "embedding.json").read_text())
    cells = AnnData(np.array(made["counts"]), var=pd.DataFrame(index=made["genes"]))
    np.testing.assert_allclose(embedding(golden, cells), made["embedding"], atol=1e-4)
