"""The container's recipe, as far as it can be checked without building it."""

from __future__ import annotations

import fnmatch
import re
import tomllib

import pytest
from packaging.specifiers import SpecifierSet

from tests.tree import REPO

RECIPE = (REPO / "Dockerfile").read_text(encoding="utf-8")
# Instructions, comments left out and lines joined.
STEPS = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", RECIPE)).splitlines()
FILE = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, WHEEL = FILE["project"], FILE["tool"]["hatch"]["build"]["targets"]["wheel"]
SHIPPED = WHEEL["force-include"]


def step(word: str) -> list[str]:
    """Arguments of each instruction of a kind."""
    return [line.removeprefix(word).strip() for line in STEPS if line.startswith(f"{word} ")]


def copied() -> list[str]:
    """What the recipe takes from the checkout."""
    return [source for line in step("COPY") for source in line.split()[:-1]]


def test_everything_it_installs_is_pinned() -> None:
    (install,) = [line for line in step("RUN") if "pip install" in line]
    assert "--constraint /selfcell/envs/constraints.txt" in install
    assert "envs" in copied()


def test_its_python_is_the_projects() -> None:
    (image,) = step("FROM")
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", image)
    assert version and SpecifierSet(PROJECT["requires-python"]).contains(f"{version[1]}.0")
    assert f"python={version[1]}\n" in (REPO / "envs/study.yaml").read_text(encoding="utf-8")


def test_torch_finds_a_compiler_for_its_kernels() -> None:
    (packages,) = [line for line in step("RUN") if "apt-get install" in line]
    assert {"gcc", "libc6-dev"} <= set(packages.split())
    for name in ("study", "gpu"):
        assert "\n  - c-compiler\n" in (REPO / f"envs/{name}.yaml").read_text(encoding="utf-8")


def test_its_extras_exist() -> None:
    (extras,) = re.findall(r"'/selfcell\[(.+?)\]'", RECIPE)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("source", copied())
def test_what_it_copies_is_there_and_is_sent(source: str) -> None:
    assert (REPO / source).exists()
    lines = (REPO / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*" and f"!{source}" in lines


def test_it_copies_all_that_the_build_needs() -> None:
    needed = ["pyproject.toml", "src", PROJECT["readme"], *PROJECT["license-files"], *SHIPPED]
    given = [pattern for source in copied() for pattern in (source, f"{source}/*")]
    assert [name for name in needed if not any(fnmatch.fnmatch(name, c) for c in given)] == []


def test_it_names_no_place_of_the_machine_that_builds_it() -> None:
    places = set(re.findall(r"(?<![\w.$}\"])/[a-z]+", " ".join(STEPS)))
    assert places <= {"/selfcell", "/study", "/var", "/lib"} and "/study" in places
