"""A copy of the project in which Snakemake runs as for a reader whose venv is not activated."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SMOKE = "configs/smoke.yaml"
BIN = Path(sys.executable).parent
JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)


def environment(root: Path) -> dict[str, str]:
    """Variables under which the copy's own package is imported and no venv is active."""
    path = os.environ["PATH"].split(os.pathsep)
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    kept["PATH"] = os.pathsep.join(part for part in path if Path(part) != BIN)
    return kept | {"PYTHONPATH": str(root / "src")}


class Project:
    """The copy at `root`; `log` is what Snakemake said when the smoke study ran in it."""

    def __init__(self, root: Path, config: str = SMOKE) -> None:
        self.root, self.config, self.log = root, config, ""

    def command(self, *options: str) -> list[str]:
        """Snakemake on this project's configuration."""
        start = [sys.executable, "-m", "snakemake", "--configfile", self.config]
        return [*start, "--cores", "2", *options]

    def run(self, *options: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; all it says is in `stdout`. Fails the test where the exit code is not
        as expected."""
        done = subprocess.run(
            self.command(*options),
            cwd=self.root,
            env=environment(self.root),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout[-6000:]
        return done

    def planned(self, *options: str) -> set[str]:
        """Jobs that a dry run lists, each as its rule and its wildcards."""
        return jobs(self.run("--dry-run", *options).stdout)

    def result(self, name: str) -> bytes:
        """Bytes of a file of the smoke study."""
        return (self.root / "results" / "smoke" / name).read_bytes()

    @contextmanager
    def edited(self, name: str, changes: Mapping[str, str] | None = None) -> Iterator[None]:
        """Replace pieces of a file, or add a line to it, for the length of a block."""
        path = self.root / name
        before = path.read_text(encoding="utf-8")
        text = before if changes else before + "\n# edited\n"
        for old, new in (changes or {}).items():
            assert old in text, f"{name} holds no {old!r}"
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")


def jobs(said: str) -> set[str]:
    """Jobs that Snakemake names, as "rule" or "rule wildcard=value, ..."."""
    found = set()
    for rule, body in JOB.findall(said):
        wildcards = re.search(r"^    wildcards: (.+)$", body, re.MULTILINE)
        found.add(f"{rule} {wildcards[1]}" if wildcards else rule)
    return found
