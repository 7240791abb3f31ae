"""What is said where a study stops, and what is read of one that ended."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anndata
import pandas as pd
import pytest

import selfcell
from selfcell.comparison import run as module
from selfcell.comparison.answer import Comparison, read
from selfcell.comparison.run import run
from selfcell.errors import DataError, StudyError
from selfcell.job import write_json
from selfcell.stats.predictions import COSTS
from selfcell.stats.pretrain import VERDICTS
from tests.cells import user_cells

VERDICT = {
    "target": "mine", "corpus": "mine_pool", "role": "study", "scope": "frozen",
    "regimes": "10,all", "best_pretrained": "random_mask/mine_pool/frozen/probe",
    "best_without": "logreg", "difference": -0.018, "low": -0.036, "high": -0.001,
    "low90": -0.033, "high90": -0.003, "sde": 0.025, "cpu_s": 8.4, "answer": "no",
    "shared_variance": 0.98, "note": "conditional on 2 donors",
}  # fmt: skip
COST = {
    "study": "mine", "rule": "pretrain", "corpus": "mine_pool", "target": "none",
    "method": "random_mask", "seed": 0, "wall_s": 9.0, "cpu_s": 90.0, "gpu_s": 0.0,
    "peak_mb": 512.0, "run_hash": "a",
}  # fmt: skip


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Another program in the workflow's place."""
    real = subprocess.Popen

    def replace(source: str) -> None:
        def start(command: list[str], **options: object) -> subprocess.Popen[bytes]:
            return real([sys.executable, "-c", source], **options)

        monkeypatch.setattr(module.subprocess, "Popen", start)

    return replace


def test_the_words_of_the_job_that_failed(tmp_path: Path, program: Callable[[str], None]) -> None:
    logs = tmp_path / "results" / "mine" / "logs"
    logs.mkdir(parents=True)
    old = logs / "audit.log"
    old.write_text("error: of an earlier run\n")
    os.utime(old, (time.time() - 60, time.time() - 60))
    (logs / "store.log").write_text("all is well\n")
    program(
        f"import pathlib; pathlib.Path({str(logs / 'qc.log')!r}).write_text("
        "'WARNING odd\\nerror: no cell passes; remedy: loosen\\n'); raise SystemExit(1)"
    )
    with pytest.raises(StudyError, match=r"'mine' stopped: no cell passes; remedy: loosen \(.*qc"):
        run(tmp_path / "c.yaml", tmp_path, "mine")


def test_a_job_that_says_nothing(tmp_path: Path, program: Callable[[str], None]) -> None:
    program("raise SystemExit(1)")
    with pytest.raises(StudyError, match="see what it said above, and .*logs"):
        run(tmp_path / "c.yaml", tmp_path, "mine")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as on a terminal; a shell's background jobs are started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_says_how_to_go_on(tmp_path: Path, program: Callable[[str], None]) -> None:
    program(f"import os, signal; os.kill({os.getpid()}, signal.SIGINT)")
    with pytest.raises(KeyboardInterrupt, match="goes on where it stopped"):
        run(tmp_path / "c.yaml", tmp_path, "mine")


def finished(folder: Path, **changed: object) -> Path:
    """Tables of a finished study."""
    folder.mkdir(parents=True, exist_ok=True)
    VERDICTS.write(pd.DataFrame([VERDICT | changed])[VERDICTS.names], folder / "verdicts.parquet")
    COSTS.write(pd.DataFrame([COST])[COSTS.names], folder / "costs.parquet")
    return folder


def test_the_answer_is_read_and_said(tmp_path: Path) -> None:
    about = read(finished(tmp_path / "mine"), "mine")
    (row,) = about["answers"]
    assert (row["answer"], row["interval_95"], row["margin"]) == ("no", [-0.036, -0.001], 0.02)
    assert about["cost"] == {"runs": 1, "cpu_s": 90.0, "peak_mb": 512.0}
    assert list(about["files"]) == ["verdicts"]
    cells = {"types": ["a", "Müller, réti"], "left_out": {"c": "rare in test"}}
    answer = Comparison(about | {"cells": cells, "study": "mine"})
    for said in (
        "should I pre-train on mine_pool (frozen)? no: a gain above 0.02 macro-F1 is excluded",
        "difference -0.018 [-0.036, -0.001] (95 %), smallest detectable 0.025", "took 8 s",
        "shares: 0.98", "conditional on 2 donors", "1.5 minutes", "Müller, réti",
        "left out: c, rare in test", "verdicts.parquet",
    ):  # fmt: skip
        assert said in repr(answer)
    assert list(answer.answers["answer"]) == ["no"]


def test_what_is_not_known_of_a_ready_model_is_left_out(tmp_path: Path) -> None:
    unknown = {"shared_variance": math.nan, "cpu_s": math.nan, "corpus": "given"}
    genes = {"genes": 80, "found": 60, "share": 0.75, "missing": ["A"], "counts_kept": 0.6214}
    write_json(genes, tmp_path / "mine/ready/given/alignment/mine.json")
    about = read(finished(tmp_path / "mine", **unknown), "mine")
    (row,) = json.loads(json.dumps(about["answers"], allow_nan=False))
    assert (row["shared_variance"], row["cpu_s"]) == (None, None)
    text = Comparison(about | {"cells": {"types": [], "left_out": {}}}).text()
    assert "pre-train on given" in text and "took" not in text and "nan" not in text
    assert row["genes"] == genes and "60 of its 80 genes are in the file, with 62% of" in text


def test_controls_are_no_answer(tmp_path: Path) -> None:
    about = read(finished(tmp_path / "mine", role="control corpus"), "mine")
    text = Comparison(about | {"cells": {"types": [], "left_out": {}}}).text()
    assert about["answers"] == [] and "no pre-trained network ended well" in text


def test_another_studys_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds the study mine"):
        read(finished(tmp_path / "mine"), "yours")


def test_anndata_is_written_once_and_with_its_counts_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = user_cells()
    cells.layers["counts"] = cells.X.copy()
    cells.X = cells.X.log1p()
    cells.obs["secret"] = "x"
    before = cells.copy()
    folder, started = tmp_path / "results" / "mine", []
    monkeypatch.setattr(module, "run", lambda *_: started.append(finished(folder)))
    options = {"layer": "counts", "gene_ids": "ensembl", "out": tmp_path, "name": "mine"}
    answer = selfcell.compare(cells, "cell_type", "donor", **options)
    path = Path(answer.about["cells"]["file"])
    first = path.read_bytes()
    written = anndata.read_h5ad(path)
    assert (cells.layers["counts"] != written.X).nnz == 0
    assert list(written.obs) == ["cell_type", "donor"] and not written.layers
    assert json.loads((tmp_path / "results/mine/answer.json").read_text()) == answer.about
    assert (tmp_path / "results/mine/answer.txt").read_text() == f"{answer}\n"
    selfcell.compare(cells, "cell_type", "donor", **options)
    assert len(started) == 2 and path.read_bytes() == first  # or all would be run again
    assert list(cells.obs) == list(before.obs) and (cells.X != before.X).nnz == 0


def test_a_dry_run_says_what_it_would_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user_cells().write_h5ad(tmp_path / "mine.h5ad")
    monkeypatch.setattr(module, "run", None)
    minutes = {}
    for effort in ("quick", "default", "full"):
        made = selfcell.compare(tmp_path / "mine.h5ad", effort=effort, out=tmp_path, dry_run=True)
        minutes[effort] = made.about["plan"]["core_minutes"]
        assert "not run: " in made.text() and made.answers.empty
    assert minutes["quick"] < minutes["default"] < minutes["full"]
    assert (tmp_path / "results/mine/study.yaml").is_file()
