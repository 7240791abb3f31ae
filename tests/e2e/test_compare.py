"""`selfcell compare` as its reader has it: the wheel, installed, in an empty folder."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from selfcell.stats.pretrain import VERDICTS
from tests.e2e.installed import Installed
from tests.e2e.project import Project
from tests.e2e.test_own_data import own_cells
from tests.tree import REPO

pytestmark = pytest.mark.slow

NAMES = {"T cell": "Müller, réti", "B cell": "NK (CD56+/-)", "Monocyte, CD14+": "β; 'x' & y"}


@pytest.fixture(scope="module")
def cells(smoke: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with its counts in a layer and labels that want quoting, alone in a folder."""
    genes = pd.read_csv(io.BytesIO(smoke.result("reference/genes.csv.gz")), compression="gzip")
    path = tmp_path_factory.mktemp("empty folder") / "my cells (1).h5ad"
    own_cells(genes, path)
    made = anndata.read_h5ad(path)
    made.obs["type, by hand"] = made.obs["cell_type"].astype(str).map(NAMES)
    made.write_h5ad(path)
    return path


def words(cells: Path, *more: str) -> Sequence[str]:
    """A command line on the file."""
    start = ["compare", cells.name, "--labels", "type, by hand", "--batch", "donor"]
    start += ["--model", "a model"] if (cells.parent / "a model").exists() else []
    return [*start, "--layer", "counts", "--effort", "quick", "--min-test", "5", *more]


def test_from_the_wheel_to_the_answer(installed: Installed, cells: Path) -> None:
    folder = cells.parent
    small = ["--steps", "40", "--genes", "300", "--hidden", "32", "16", "--layer", "counts"]
    installed.selfcell(folder, "pretrain", cells.name, "--out", "a model", *small)
    done = installed.selfcell(folder, *words(cells, "--json", "--cores", "2"))
    about = json.loads(done.stdout)
    results = folder / "results" / "my-cells-1"
    assert about == json.loads((results / "answer.json").read_text())
    assert sorted(about["cells"]["types"]) == sorted(NAMES.values())
    rows = {row["corpus"]: row for row in about["answers"]}
    own, given = rows["my-cells-1_pool"], rows["a-model"]
    for row in rows.values():
        low, high = row["interval_95"]
        assert row["answer"] in ("yes", "no", "undecided") and low <= row["difference"] <= high
        assert row["smallest_detectable"] >= 0
    verdicts = VERDICTS.read(results / "verdicts.parquet").set_index("corpus")
    assert own["cpu_s"] > 0
    assert own["shared_variance"] == verdicts.shared_variance["my-cells-1_pool"]
    assert given["cpu_s"] is None and "whether it saw these cells" in given["note"]
    assert "frozen" in given["best_with"] and given["genes"]["found"] == 300
    assert all(Path(place).exists() for place in about["files"].values())
    left = {path.name for path in folder.iterdir()}
    assert left == {cells.name, "a model", "results", ".snakemake"}
    provenance = json.loads((results / "provenance.json").read_text())
    assert str(REPO) not in json.dumps(provenance)
    assert str(REPO) not in done.stderr
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*.parquet")}
    again = installed.selfcell(folder, *words(cells))
    assert "Nothing to be done" in again.stderr and "should I pre-train on" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*.parquet")} == before


def test_a_fault_met_on_the_way_is_one_line(
    installed: Installed, cells: Path, tmp_path: Path
) -> None:
    """What looking at the file does not find: a value far down that is no count."""
    made = anndata.read_h5ad(cells)
    made = anndata.concat([made] * 5, index_unique="-")
    counts = made.layers["counts"].tolil()
    counts[1100, 0] = 1.5
    made.layers["counts"] = counts.tocsr().astype(np.float32)
    made.write_h5ad(tmp_path / "mine.h5ad")
    done = installed.selfcell(tmp_path, *words(tmp_path / "mine.h5ad"), code=2)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: the study 'mine' stopped: ")
    assert "non-integers (first: 1.5" in last and "qc/mine.log" in last
    assert "Traceback" not in done.stderr and not done.stdout
