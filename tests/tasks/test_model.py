"""Model folders: written, read back, refused where they are of another form; golden ones load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData
from safetensors import safe_open
from safetensors.torch import save_file

import selfcell
from selfcell.errors import StoreError
from selfcell.tasks import annotate
from selfcell.tasks import model as folder
from tests.cells import embedding, small_model, user_cells
from tests.tree import REPO

GOLDENS = {n: REPO / "tests" / "golden" / f"model-{n}" for n in folder.READABLE}
GOLDEN = GOLDENS[folder.FORMAT]


def test_a_model_is_saved_and_read_back(tmp_path: Path) -> None:
    model = small_model(user_cells())
    model.save(tmp_path / "m")
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        "CARD.md", "model.json", "weights.safetensors",
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


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    copy = altered(GOLDEN, tmp_path / "model")
    with safe_open(copy / "weights.safetensors", framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    weights["encoder.layers.0.weight"][0, 0] = value
    save_file(weights, copy / "weights.safetensors", metadata)
    with pytest.raises(StoreError, match=r"no finite numbers, first in encoder\.layers\.0\.weight"):
        selfcell.load(copy)


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


def test_a_model_folder_reads_back_the_same(study):
    root, store, split, _, result = study
    trained = folder.load(root / "m")
    x = annotate.Data.read(store, split).x_NG
    assert torch.equal(folder.embed(trained.encoder, x), folder.embed(result.method.encoder, x))
    assert trained.status == result.health.status
    assert trained.gene_ids == store.gene_ids


@pytest.mark.parametrize("damage", ["weights", "json", "format", "network"])
def test_damaged_models_are_refused(study, tmp_path, damage):
    there = tmp_path / "m"
    shutil.copytree(study[0] / "m", there)
    about = json.loads((there / "model.json").read_text())
    if damage == "weights":
        whole = (there / "weights.safetensors").read_bytes()
        (there / "weights.safetensors").write_bytes(whole[:-50])
    elif damage == "json":
        (there / "model.json").write_text("{")
    else:
        about["format"] = 99 if damage == "format" else about["format"]
        about["spec"]["network"]["hidden"] = [16, 9] if damage == "network" else [16, 8]
        (there / "model.json").write_text(json.dumps(about))
    with pytest.raises(StoreError):
        folder.load(there)


def test_embedding_does_not_depend_on_batch_or_order(study):
    root, store, split, _, _ = study
    encoder = folder.load(root / "m").encoder
    x = annotate.Data.read(store, split).x_NG
    whole = folder.embed(encoder, x)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(folder.embed(encoder, x[order]), whole[order], atol=1e-6)
    assert torch.allclose(torch.cat([encoder(row[None]) for row in x]), whole, atol=1e-6)
