"""The scripts from run folders to a drawn figure, as the workflow calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import score_factory as factory

from selfcell.stats import table
from selfcell.stats.predictions import PREDICTIONS
from selfcell.stats.shared import SHARED

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def call(script: str, *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def run_folder(folder: Path) -> list[Path]:
    made = factory.study(seeds=2, draws=2, scale=0.08)
    run = folder / "run"
    run.mkdir()
    table.write(made.scores, run / "scores.parquet")
    PREDICTIONS.write(made.predictions, run / "predictions.parquet")
    SHARED.write(made.shared, folder / "shared.parquet")
    card = {
        "rule": "frozen", "run_hash": "abc", "spec": {"study": "made"}, "config_hash": "c",
        "inputs": {}, "code": "d", "git": "e", "seeds": {}, "versions": {}, "hardware": {},
        "cost": {"wall_s": 1.0, "cpu_s": 1.0, "gpu_s": 0.0, "peak_mb": 1.0},
    }  # fmt: skip
    (run / "card.json").write_text(json.dumps(card))
    (folder / "runs.txt").write_text(f"{run}\n")
    return made.save(folder)


@pytest.mark.slow
def test_from_runs_to_a_figure(tmp_path: Path) -> None:
    (split,) = run_folder(tmp_path)
    out = {name: tmp_path / f"{name}.parquet" for name in ("scores", "predictions", "costs")}
    outputs = [part for name, path in out.items() for part in (f"--{name}", path)]
    done = call(
        *("collect", "--runs", tmp_path / "runs.txt", *outputs),
        *("--provenance", tmp_path / "provenance.json", "--lineage", tmp_path / "lineage.json"),
        *("--health", tmp_path / "health.parquet"),
    )
    assert done.returncode == 0, done.stderr
    inputs = [part for name, path in out.items() for part in (f"--{name}", path)]
    compared, verdicts = tmp_path / "contrasts.parquet", tmp_path / "verdicts.parquet"
    done = call(
        *("contrasts", *inputs, "--splits", split, "--spec", '{"resamples": 30}'),
        *("--shared", tmp_path / "shared.parquet"),
        *("--out", compared, "--verdicts", verdicts, "--tasks", tmp_path / "tasks.parquet"),
        *("--types", tmp_path / "types.parquet"),
    )
    assert done.returncode == 0, done.stderr
    for name, files in (
        ("contrasts", [compared]),
        ("label_efficiency", [out["scores"], compared]),
        ("pretexts", [out["scores"], compared]),
        ("per_type", [tmp_path / "types.parquet"]),
    ):
        csv, pdf, png = (tmp_path / f"{name}.{ending}" for ending in ("csv", "pdf", "png"))
        outputs = ("--table", csv, "--pdf", pdf, "--png", png)
        done = call(f"figure_{name}", *files, *outputs)
        assert done.returncode == 0, done.stderr
        assert pdf.stat().st_size > 5_000 and png.stat().st_size > 5_000
        made = csv.read_bytes(), pdf.read_bytes(), png.read_bytes()
        done = call(f"figure_{name}", *outputs)  # anew from the table
        assert done.returncode == 0, done.stderr
        assert made == (csv.read_bytes(), pdf.read_bytes(), png.read_bytes())


@pytest.mark.slow
def test_a_users_error_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs.txt").write_text("")
    paths = [part for name in ("scores", "predictions", "costs", "health", "provenance", "lineage")
             for part in (f"--{name}", tmp_path / name)]  # fmt: skip
    done = call("collect", "--runs", tmp_path / "runs.txt", *paths)
    assert done.returncode == 2
    assert "names no folder" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "scores").exists()
