"""CONTRIBUTING's walk-through, walked: its code is added to a copy of the project and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import REPO

pytestmark = pytest.mark.slow

METHOD = "src/selfcell/methods/denoise.py"
TEST = "tests/methods/test_denoise.py"
STUDY = "results/denoise.yaml"


def blocks() -> list[str]:
    """The code of the section on adding a method: file, line, test, configuration."""
    page = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.split("## Add a method")[1]
    return re.findall(r"^```(?:python|yaml)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python on the package of that folder instead of the installed one."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def extended(checkout: Path) -> Path:
    """A copy of the project with the method added as the page says."""
    code, line, test, configuration = blocks()
    methods = checkout / "src/selfcell/methods/__init__.py"
    text = methods.read_text(encoding="utf-8")
    begin, end = re.search(r"^METHODS\b.*?{\n()", text, re.MULTILINE), "\n}\n"
    assert begin is not None
    at = text.index(end, begin.end()) + 1
    methods.write_text(text[:at] + line + text[at:], encoding="utf-8")
    study = (REPO / "config.yaml").read_text(encoding="utf-8")
    entry = configuration.split("\n", 1)[1]
    assert configuration.startswith("methods:\n")
    study, n = re.subn(r"^methods:.*\n", lambda match: match[0] + entry, study, flags=re.MULTILINE)
    assert n == 1
    for name, content in ((METHOD, code), (TEST, test), (STUDY, study)):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(content, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=checkout, check=True)
    return checkout


def test_its_test_passes_and_the_house_accepts_it(extended: Path) -> None:
    house = ["test_docstrings.py", "test_imports.py", "test_sizes.py"]
    done = python(
        extended, "-m", "pytest", TEST, *(f"tests/house/{name}" for name in house), "-k", "denoise"
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d passed", done.stdout), "its own tests and the house's"
    assert python(extended, "workflow/scripts/readme.py").returncode == 0
    every = ["methods/test_methods.py", "train/test_golden.py", "house/test_designs.py"]
    named = "denoise or curves or study or page_of_methods"
    rest = python(
        extended, "-m", "pytest", *(f"tests/{name}" for name in [*every, "docs/test_site.py"]),
        "-k", named,
    )  # fmt: skip
    assert rest.returncode == 0, rest.stdout
    lint = python(extended, "-m", "ruff", "check", METHOD, TEST)
    assert lint.returncode == 0, lint.stdout
    style = python(extended, "-m", "ruff", "format", "--check", METHOD, TEST)
    assert style.returncode == 0, style.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("self.params.sigma * noise_BG * self.measured_G", "self.params.sigma * noise_BG"),
        ("masked_mse(y_BG, batch.x_BG,", "masked_mse(y_BG, self.noisy(batch),"),
    ],
)
def test_its_test_fails_where_the_method_is_wrong(extended: Path, right: str, wrong: str) -> None:
    code = (extended / METHOD).read_text(encoding="utf-8")
    assert right in code
    (extended / METHOD).write_text(code.replace(right, wrong), encoding="utf-8")
    done = python(extended, "-m", "pytest", TEST)
    assert "FAILED" in done.stdout


def test_configuration_takes_it_and_checks_its_parameters(extended: Path) -> None:
    load = f"from selfcell.config import load_config; print(load_config('{STUDY}').methods)"
    done = python(extended, "-c", load)
    assert done.returncode == 0, done.stderr
    assert "denoise" in done.stdout
    text = (extended / STUDY).read_text(encoding="utf-8")
    (extended / STUDY).write_text(text.replace("sigma:", "sgima:"), encoding="utf-8")
    done = python(extended, "-c", load)
    assert done.returncode != 0
    assert "did you mean 'sigma'?" in done.stderr
