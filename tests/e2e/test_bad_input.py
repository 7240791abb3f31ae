"""What a user sees of bad input: one line saying what is wrong and what to do, and nothing left.

The reasons for refusing are tested beside the code that refuses; here the scripts and Snakemake
are run as a user runs them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from anndata import AnnData
from scipy import sparse

from selfcell.data.registry import DatasetSpec
from selfcell.keys import generator
from tests.e2e.project import SMOKE, Project
from tests.e2e.refusals import call, left, refused
from tests.tree import REPO

pytestmark = pytest.mark.slow

Control = Callable[..., subprocess.CompletedProcess[str]]
SPLIT = {"target": "t", "dataset": "mine", "kind": "column", "column": "donor"}
LABELS = json.dumps({"regimes": [3], "draws": 1, "min_test": 5})


def good(cells: int = 90, genes: int = 60) -> AnnData:
    """Cells of three types and two donors."""
    counts = generator("good cells").poisson(2.0, (cells, genes)).astype(np.float32)
    obs = pd.DataFrame({"type": np.array(["a", "b", "c"])[np.arange(cells) % 3]})
    obs["donor"] = np.where(np.arange(cells) < cells // 2, "d1", "d2")
    obs.index = pd.Index([f"c{i}" for i in range(cells)])
    var = pd.DataFrame(index=pd.Index([f"GENE{i}" for i in range(genes)]))
    return AnnData(sparse.csr_matrix(counts), obs=obs, var=var)


def with_value(value: float) -> AnnData:
    """The cells with one value that is no count."""
    cells = good()
    cells.X[3, 2] = value
    return cells


def normalised() -> AnnData:
    """Log-normalised cells whose counts are in a layer."""
    cells = good()
    cells.layers["counts"] = cells.X.copy()
    cells.X = cells.X.log1p()
    return cells


def named(cells: list[str] | None = None, genes: Callable[[int], str] | None = None) -> AnnData:
    """The cells under other names."""
    made = good()
    if cells:
        made.obs_names = cells
    if genes:
        made.var_names = [genes(i) for i in range(made.n_vars)]
    return made


def unlabelled() -> AnnData:
    """The cells without their label column."""
    cells = good()
    cells.obs = cells.obs.rename(columns={"type": "Type"})
    return cells


def emptied() -> AnnData:
    """Cells without a single count."""
    cells = good()
    cells.X = sparse.csr_matrix(cells.shape, dtype=np.float32)
    return cells


BAD: dict[str, tuple[Callable[[], AnnData], list[str]]] = {
    "log-normalised": (
        normalised,
        ["holds non-integers", "cell c0 (row 0)", "needed: counts", "set `layer: counts`"],
    ),
    "NaN": (lambda: with_value(np.nan), ["holds NaN", "cell c3 (row 3), gene GENE2"]),
    "negative": (lambda: with_value(-1.0), ["holds negative values (first: -1", "needed: counts"]),
    "nothing but empty cells": (
        emptied,
        ["the matrix of data set 'mine' holds nothing but zeros", "needed: counts", "remedy: "],
    ),
    "duplicated cells": (
        lambda: named(cells=["c0", "c0", *(f"c{i}" for i in range(2, 90))]),
        ["1 duplicated cell names (c0)", "needed: unique", "obs_names_make_unique()"],
    ),
    "duplicated genes": (
        lambda: named(genes=lambda i: f"GENE{max(i, 1)}"),
        ["1 duplicated gene names (GENE1)", "needed: unique", "set `gene_ids:`"],
    ),
    "unknown genes": (
        lambda: named(genes=lambda i: f"LOCUS_{i}"),
        ["0% of the genes", "(first unknown: LOCUS_0", "needed: at least", "check `gene_ids:`"],
    ),
    "mouse genes": (
        lambda: named(genes=lambda i: f"Gene{i}a"),
        ["0% of the genes", "these look like mouse genes (Gene0a", "map them to human first"],
    ),
    "no label column": (
        unlabelled,
        ["no obs column 'type' (its label)", "one of ['Type', 'donor']", "did you mean 'Type'?"],
    ),
}


@pytest.fixture
def genes(tmp_path: Path) -> Path:
    """A gene table that knows the genes of `good`."""
    frame = pd.DataFrame({"ensembl": [f"ENSG{i:011d}" for i in range(60)]})
    frame["symbol"] = [f"GENE{i}" for i in range(60)]
    frame.assign(biotype="protein_coding", earlier="").to_csv(tmp_path / "genes.csv", index=False)
    return tmp_path / "genes.csv"


@pytest.fixture
def control(genes: Path, tmp_path: Path) -> Control:
    """Quality control of a file, its outputs to a folder `out`."""
    (tmp_path / "out").mkdir()

    def qc(raw: Path, limit: int | None = None) -> subprocess.CompletedProcess[str]:
        spec = DatasetSpec.own("mine", str(raw), label="type", donor="donor").to_json()
        out = tmp_path / "out"
        return call(
            *("qc", "--raw", raw, "--spec", spec, "--genes", genes),
            *("--ontology", REPO / "resources" / "label_to_cl.json"),
            *("--limits", '{"min_genes": 5}', "--out-cells", out / "cells.h5ad"),
            *("--out-table", out / "qc.parquet", "--out-summary", out / "qc.json"),
            limit=limit,
        )

    return qc


@pytest.mark.filterwarnings("ignore:.*names are not unique")
@pytest.mark.parametrize("case", BAD)
def test_bad_cells(case: str, control: Control, tmp_path: Path) -> None:
    make, parts = BAD[case]
    make().write_h5ad(tmp_path / "raw.h5ad")
    refused(control(tmp_path / "raw.h5ad"), *parts)
    assert left(tmp_path / "out") == set()


def test_a_truncated_file(control: Control, tmp_path: Path) -> None:
    good().write_h5ad(tmp_path / "raw.h5ad")
    whole = (tmp_path / "raw.h5ad").read_bytes()
    (tmp_path / "raw.h5ad").write_bytes(whole[: len(whole) // 2])
    refused(
        control(tmp_path / "raw.h5ad"), "raw.h5ad cannot be read", "needed: an intact h5ad file"
    )
    assert left(tmp_path / "out") == set()


def test_a_file_that_is_not_there(control: Control, tmp_path: Path) -> None:
    refused(control(tmp_path / "raw.h5ad"), "raw.h5ad does not exist", "remedy: correct the path")
    spec = DatasetSpec.own("mine", str(tmp_path / "no.h5ad")).to_json()
    done = call("download", "--spec", spec, "--out", tmp_path / "out" / "raw.h5ad")
    refused(done, "there is no", "no.h5ad", "remedy: correct the path")
    assert left(tmp_path / "out") == set()


@pytest.fixture
def divide(control: Control, tmp_path: Path) -> Control:
    """Splitting cells after quality control, to `out/t.json`, with options of the split."""

    def split(cells: AnnData, **spec: object) -> subprocess.CompletedProcess[str]:
        cells.write_h5ad(tmp_path / "raw.h5ad")
        assert control(tmp_path / "raw.h5ad").returncode == 0
        asked = json.dumps({**SPLIT, "train": ["d1"], "test": ["d2"], **spec})
        options = ["--spec", asked, "--labels", LABELS, "--out", tmp_path / "out" / "t.json"]
        return call("split", "--cells", tmp_path / "out" / "cells.h5ad", *options)

    return split


def test_a_donor_that_is_not_there(divide: Control, tmp_path: Path) -> None:
    done = divide(good(), test=["d9"])
    refused(done, "no cell has donor 'd9'", "needed: one of: d1, d2")
    assert "out/t.json" not in left(tmp_path)


def test_fewer_than_two_types(divide: Control, tmp_path: Path) -> None:
    cells = good()
    cells.obs["type"] = "only"
    done = divide(cells)
    refused(done, "target 't' has 1 usable types", "needed: 2 types with", "lower min_test")
    assert "out/t.json" not in left(tmp_path)


def test_a_label_absent_from_training_is_left_out_and_listed(
    divide: Control, tmp_path: Path
) -> None:
    cells = good()
    cells.obs.loc[cells.obs["donor"] == "d2", "type"] = ["new", "a", "b"] * 15
    done = divide(cells)
    assert done.returncode == 0, done.stderr
    assert "left out new: absent from training (pool 0, test 15)" in done.stderr
    split = json.loads((tmp_path / "out" / "t.json").read_text())
    assert split["classes"] == ["a", "b"]
    assert len(split["test_left_out"]) == 15


def test_a_folder_that_may_not_be_written(control: Control, tmp_path: Path) -> None:
    good().write_h5ad(tmp_path / "raw.h5ad")
    (tmp_path / "out").chmod(0o500)
    refused(control(tmp_path / "raw.h5ad"), "Permission denied", "remedy: make it writable")
    assert left(tmp_path / "out") == set()


def test_snakemake_shows_the_reason_and_keeps_nothing(checkout: Path) -> None:
    normalised().write_h5ad(checkout / "mine.h5ad")
    study = yaml.safe_load((checkout / SMOKE).read_text())
    study["datasets"][0] = {
        "name": "baron", "path": "mine.h5ad", "label": "type", "donor": "donor",
    }  # fmt: skip
    (checkout / "bad.yaml").write_text(yaml.safe_dump(study))
    project = Project(checkout, "bad.yaml")
    said = project.run("results/smoke/data/baron/cells.h5ad", fails=True).stdout
    assert "error: the matrix of data set 'baron' holds non-integers" in said
    assert "set `layer: counts`" in said
    assert "Traceback" not in said
    data = left(checkout / "results" / "smoke" / "data" / "baron")
    assert data == {"raw.h5ad"}


@pytest.mark.parametrize(
    ("right", "wrong", "parts"),
    [
        ("steps: 80", "step: 80", ["pretraining", "unknown key 'step'", "did you mean 'steps'?"]),
        ("steps: 80", "steps: 0", ["pretraining", "steps", "0 is outside [1, 100000000]"]),
        ("name: simclr", "name: simclear", ["unknown method 'simclear'", "mean 'simclr'?"]),
        ("{rate: 0.5}", "{rat: 0.5}", ["unknown parameter 'rat'", "did you mean 'rate'?"]),
        ("- name: baron\n    max", "- name: barn\n    max", ["unknown", "'baron'"]),
        ("corpora: [baron_pool]", "corpora: [baron]", ["unknown 'baron'", "'baron_pool'?"]),
        ("baselines: [pca", "baselines: [pac", ["unknown 'pac'", "did you mean 'pca'?"]),
        ("test: [human3", "tset: [human3", ["unknown key 'tset'", "did you mean 'test'?"]),
    ],
)
def test_a_wrong_configuration(smoke: Project, right: str, wrong: str, parts: list[str]) -> None:
    with smoke.edited(SMOKE, {right: wrong}):
        said = smoke.run("--dry-run", fails=True).stdout
    assert [part for part in parts if part not in said] == [], said
    assert "Traceback" not in said
