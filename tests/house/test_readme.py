"""Every command that the documentation gives is one that works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.tree import REPO, tracked

PAGES = [*tracked("*.md", "docs/*.md")]
BLOCK = re.compile(r"^```(?:bash|sh|shell|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"^[A-Z_]+=")


def commands(text: str) -> list[list[str]]:
    """Commands in the shell blocks of a page, as words; variables set before them left out."""
    found = []
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|;|\|\|?", line.removeprefix("$ ")):
                words = shlex.split(part, comments=True)
                while words and ASSIGNMENT.match(words[0]):
                    words = words[1:]
                if words:
                    found.append([Path(words[0]).name, *words[1:]])
    return found


def all_of(programme: str) -> list[list[str]]:
    """Every use of a programme in the documentation, each once."""
    texts = [(REPO / path).read_text(encoding="utf-8") for path in PAGES]
    found = {tuple(words) for text in texts for words in commands(text) if words[0] == programme}
    return [list(words) for words in sorted(found)]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run in the root of the checkout, with this environment's programmes first on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    return subprocess.run(
        command, cwd=REPO, env=environment, capture_output=True, text=True, check=False
    )


def test_readme_gives_the_two_commands_and_their_plain_forms() -> None:
    found = commands((REPO / "README.md").read_text(encoding="utf-8"))
    assert ["make", "study"] in found
    assert ["make", "test"] in found
    assert {"pip", "snakemake", "pytest"} <= {words[0] for words in found}


@pytest.mark.parametrize("words", all_of("make"), ids=" ".join)
def test_make_target_exists(words: list[str]) -> None:
    done = run([*words, "--dry-run"])
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", all_of("snakemake"), ids=" ".join)
def test_snakemake_command_plans(words: list[str]) -> None:
    if any(word.startswith("--report") for word in words):
        words = [word for word in words if not word.startswith("--report") and ".html" not in word]
    done = run([sys.executable, "-m", *words, "--dry-run", "--quiet"])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", all_of("pytest"), ids=" ".join)
def test_pytest_command_collects(words: list[str]) -> None:
    done = run([sys.executable, "-m", *words, "--collect-only", "--quiet"])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("words", all_of("pip"), ids=" ".join)
def test_pip_command_is_about_files_that_exist(words: list[str]) -> None:
    for flag, value in pairwise(words):
        if flag in {"-c", "-r"}:
            assert (REPO / value).is_file()
        if flag in {"-e"}:
            assert value.split("[")[0] == "."


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_links_to_files_lead_somewhere(path: Path) -> None:
    text = (REPO / path).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text)
    assert [link for link in links if not (REPO / path.parent / link).exists()] == []


def test_make_help_comment_names_every_target() -> None:
    text = (REPO / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):.*##", text, re.MULTILINE)
    assert text.splitlines()[0] == "# make " + " | ".join(targets)


def test_commands_are_found() -> None:
    page = "```bash\nA=1 make study CORES=2  # all\npip install -e . && \\\n  pytest -q\n```\n"
    assert commands(page) == [
        ["make", "study", "CORES=2"],
        ["pip", "install", "-e", "."],
        ["pytest", "-q"],
    ]
    assert commands("```python\nmake nothing\n```\n") == []
