"""`make study` reads the configuration before it starts anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import REPO


def make_study(config: Path, venv: Path) -> subprocess.CompletedProcess[str]:
    """`make study` in an environment that is in place, but without Snakemake."""
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (venv / "study").touch()
    command = ["make", "study", f"CONFIG={config}", f"VENV={venv}"]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        (b"study: \xff\n", "is not YAML: 'utf-8' codec"),
        (b"study: [\n", "is not YAML: while parsing"),
        (b"study: x\nmethod: []\n", "unknown key 'method'; did you mean 'methods'?"),
        (b"[1, 2]\n", "holds no mapping"),
    ],
    ids=["missing", "not UTF-8", "not YAML", "unknown key", "a list"],
)
def test_a_faulty_configuration_starts_nothing(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    config = tmp_path / "my study.yaml"
    if content is not None:
        config.write_bytes(content)
    done = make_study(config, tmp_path / "venv")
    assert done.returncode != 0
    assert words in done.stderr and "Traceback" not in done.stderr
    assert "snakemake" not in done.stdout + done.stderr


def test_the_name_is_read_as_yaml_reads_it(tmp_path: Path) -> None:
    text = (REPO / "configs/smoke.yaml").read_text(encoding="utf-8")
    assert "study: smoke" in text
    config = tmp_path / "own.yaml"
    own = text.replace("study: smoke", 'study :   "mine"  # a comment')
    config.write_text(own.replace("\n", "\r\n"), encoding="utf-8", newline="")
    command = [sys.executable, "workflow/scripts/study.py", "--config", str(config)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout == "mine\n"
