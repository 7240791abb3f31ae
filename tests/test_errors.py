"""Damaged files of the study: which one, and what to do; a missing one stays missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from selfcell.data.splits import read_split
from selfcell.errors import StoreError, intact
from selfcell.figures import read_study_table

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"


def test_what_is_broken_is_named(tmp_path: Path) -> None:
    split = tmp_path / "a.json"
    split.write_text('{"hash": ')
    with pytest.raises(StoreError, match=r"a\.json is damaged .*delete it and run again"):
        read_split(split)
    table = tmp_path / "b.parquet"
    pd.DataFrame({"x": range(100)}).to_parquet(table)
    table.write_bytes(table.read_bytes()[:60])
    with pytest.raises(StoreError, match=r"b\.parquet is damaged"):
        read_study_table(table)


def test_a_missing_file_and_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none.json"):
        read_split(tmp_path / "none.json")
    with pytest.raises(ZeroDivisionError), intact(tmp_path):
        raise ZeroDivisionError


def test_a_script_says_it_in_one_line(tmp_path: Path) -> None:
    cells = tmp_path / "cells.h5ad"
    cells.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    for path, words in ((cells, "is damaged"), (tmp_path / "none.h5ad", "No such file")):
        done = subprocess.run(
            [
                *(sys.executable, str(SCRIPTS / "split.py"), "--cells", str(path)),
                *("--spec", '{"target": "a", "dataset": "b", "kind": "fraction"}'),
                *("--labels", "{}", "--out", str(tmp_path / "split.json")),
            ],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 2
        assert str(path) in done.stderr and words in done.stderr
        assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1
