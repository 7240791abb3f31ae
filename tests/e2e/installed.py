"""The wheel as a reader has it: built, installed with what it needs, apart from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.tree import REPO


@dataclass(frozen=True)
class Installed:
    """A virtual environment that holds the wheel and its dependencies, and nothing of the checkout.

    Attributes:
        bin: its folder of commands.
    """

    bin: Path

    def run(
        self, folder: Path, *command: str, code: int = 0, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder; it finds the programmes of the environment and the system."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        kept["PATH"] = f"{self.bin}:/usr/bin:/bin"
        done = subprocess.run(
            command, cwd=folder, env=kept, input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{stdin}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
        return done

    def selfcell(
        self, folder: Path, *words: str, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run the package's command as a shell does that is not in the environment."""
        return self.run(folder, str(self.bin / "selfcell"), *words, code=code)


def install(root: Path) -> Installed:
    """Build the wheel and install it by the committed constraints, all below `root`."""
    subprocess.run([sys.executable, "-m", "venv", str(root / "venv")], check=True)
    made = Installed(root / "venv" / "bin")
    pip = (str(made.bin / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check")
    made.run(root, *pip, "wheel", "--no-deps", "--wheel-dir", str(root / "dist"), str(REPO))
    (wheel,) = (root / "dist").glob("*.whl")
    constraints = str(REPO / "envs" / "constraints.txt")
    made.run(root, *pip, "install", "--constraint", constraints, str(wheel))
    return made
