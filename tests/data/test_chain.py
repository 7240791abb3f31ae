"""The four scripts from cells to audit, run as the workflow runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from selfcell.data.store import Store
from tests.data.factory import make_cells

ROOT = Path(__file__).resolve().parents[2]
CORPORA = '[{"name": "c", "sources": [{"dataset": "a", "pool_of": "t"}], "targets": ["t"]}]'
SPLIT = {"target": "t", "dataset": "a", "kind": "column", "column": "donor"}


def script(name: str, *options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "workflow" / "scripts" / f"{name}.py", *options]
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
    )


@pytest.mark.slow
def test_cells_to_audit(tmp_path: Path) -> None:
    cells, split, genes = (tmp_path / name for name in ("a.h5ad", "t.json", "vocabulary.parquet"))
    make_cells("a", 200, range(100)).write_h5ad(cells)
    (tmp_path / "tft.gmt").write_text("S7_TARGET_GENES\tna\tS3\tS4\nS8_TARGET_GENES\tna\tX\n")
    spec = json.dumps({**SPLIT, "train": ["d0", "d1"], "test": ["d2", "d3"]})
    refused = script("split", "--cells", cells, "--spec", spec.replace("d3", "d9"), "--out", split)
    assert refused.returncode == 2
    assert "no cell has donor 'd9'; needed: one of: d0, d1, d2, d3" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not split.exists()
    for name, options in (
        ("split", ["--cells", cells, "--spec", spec, "--out", split]),
        (
            "vocabulary",
            [
                *("--cells", f"a={cells}", "--splits", split, "--corpora", CORPORA),
                *("--options", '{"corpus_genes": 20, "target_genes": 10}'),
                *("--tft", tmp_path / "tft.gmt"),
                *("--out", genes, "--out-alignment", tmp_path / "alignment.parquet"),
            ],
        ),
        ("store", ["--cells", cells, "--vocabulary", genes, "--out", tmp_path / "store"]),
        (
            "audit",
            [
                *("--stores", f"a={tmp_path / 'store'}", "--splits", split),
                *("--corpora", CORPORA, "--vocabulary", genes, "--out", tmp_path / "audit.json"),
            ],
        ),
    ):
        done = script(name, *options)
        assert done.returncode == 0, done.stderr
    store = Store.open(tmp_path / "store")
    assert store.n_cells == 200
    assert "S7" in store.symbols
    checks = json.loads((tmp_path / "audit.json").read_text())["checks"]
    assert {row["status"] for row in checks} <= {"pass", "unknown", "shared"}
