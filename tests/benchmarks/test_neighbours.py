"""The benchmark of neighbours, on few cells."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.tree import REPO


@pytest.mark.slow
def test_the_search_finds_what_scikit_learn_finds() -> None:
    sizes = ["--references", "5000", "--queries", "200", "--repeats", "1", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, str(REPO / "benchmarks" / "neighbours.py"), *sizes],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = {line["system"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {"selfcell", "scikit-learn"} <= set(lines)
    assert all(line["same"] > 0.999 for line in lines.values())
    assert min(lines["selfcell"][key] for key in ("wall_s", "cpu_s", "peak_mb")) > 0
