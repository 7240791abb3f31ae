"""The files of the project, for tests that read or copy them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]


def tracked(*patterns: str) -> list[Path]:
    """Files that git tracks or would track, relative to the root, sorted; all, or by pattern."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    out = subprocess.run([*command, *patterns], cwd=REPO, check=True, capture_output=True)
    names = {Path(os.fsdecode(name)) for name in out.stdout.split(b"\0") if name}
    return sorted(name for name in names if (REPO / name).is_file())


def copied(root: Path) -> Path:
    """A copy of those files in an empty folder, as a fresh clone would hold them."""
    for name in tracked():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPO / name, root / name)
    return root


def text_of(name: Path) -> str | None:
    """Contents of a tracked file, None if it is binary."""
    data = (REPO / name).read_bytes()
    return None if b"\0" in data[:8192] else data.decode("utf-8")
