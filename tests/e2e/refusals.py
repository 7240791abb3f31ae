"""Running scripts as a user runs them, and checking what is said of bad input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.project import environment
from tests.tree import REPO


def call(name: str, *options: object, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script; with `limit`, no file may grow beyond so many bytes."""
    command = [sys.executable, REPO / "workflow" / "scripts" / f"{name}.py", *options]
    return run([str(part) for part in command], REPO, limit)


def run(command: list[str], folder: Path, limit: int | None) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder. Root is denied its privilege to write where it may not."""
    # Set by `setpriv` and `prlimit`, not between fork and exec: jax, once imported, forbids forks.
    bounds = ["setpriv", "--bounding-set=-dac_override"] if os.getuid() == 0 else []
    bounds += [] if limit is None else ["prlimit", f"--fsize={limit}"]
    return subprocess.run(
        [*bounds, *command],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Check that a script ended as on a user's error, in one line holding these parts."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and done.stderr.splitlines()[-1] == lines[0], done.stderr
    assert [part for part in parts if part not in lines[0]] == [], lines[0]


def left(folder: Path) -> set[str]:
    """Files and folders in a folder, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
