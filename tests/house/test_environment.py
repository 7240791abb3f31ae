"""One set of versions: pyproject, constraints, conda environments and what is installed."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.tree import REPO, tracked

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = [
    Requirement(text) for texts in PROJECT["optional-dependencies"].values() for text in texts
]
ENVIRONMENTS = tracked("envs/*.yaml")


def constraints() -> dict[str, str]:
    """Pinned version of each package in envs/constraints.txt."""
    lines = (REPO / "envs/constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


PINS = constraints()
INSTALLED = {
    canonicalize_name(each.metadata["Name"]): each for each in importlib.metadata.distributions()
}


def conda_pins(name: str) -> dict[str, Requirement]:
    """The pip section of a conda environment."""
    document = yaml.safe_load((REPO / name).read_text(encoding="utf-8"))
    (section,) = [part["pip"] for part in document["dependencies"] if isinstance(part, dict)]
    found = [Requirement(text) for text in section]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def test_constraints_are_exact_and_name_no_place() -> None:
    text = (REPO / "envs/constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) > 50
    assert [
        line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][^\s+@]*", line)
    ] == []


@pytest.mark.parametrize("requirement", DIRECT + EXTRAS, ids=str)
def test_lower_bound_is_a_version_that_ran(requirement: Requirement) -> None:
    pinned = PINS[canonicalize_name(requirement.name)]
    lowest = [part.version for part in requirement.specifier if part.operator == ">="]
    assert lowest == [pinned], "the lower bound and the pin are the version that was run"
    assert requirement.specifier.contains(pinned)


def test_all_that_set_up_installs_is_pinned() -> None:
    """What the package's requirements, and theirs in turn, ask of this interpreter."""
    found: set[str] = set()
    wanted = [each for each in DIRECT + EXTRAS if canonicalize_name(each.name) in INSTALLED]
    while wanted:
        requirement = wanted.pop()
        extras = requirement.extras or {""}
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(requirement.name)
        if name not in found and name in INSTALLED:
            found.add(name)
            theirs = [Requirement(text) for text in INSTALLED[name].requires or []]
            for each in theirs:
                marker, each.marker = each.marker, None
                if not marker or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
                    wanted.append(each)
    assert len(found) > 100
    assert sorted(found - set(PINS) - {"pip", canonicalize_name(PROJECT["name"])}) == []


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=str)
def test_conda_environment_has_the_same_pins(path: object) -> None:
    for name, requirement in conda_pins(str(path)).items():
        assert str(requirement.specifier) == f"=={PINS[name]}"


def test_conda_environment_of_the_study_is_complete() -> None:
    pins = conda_pins("envs/study.yaml")
    extra = [Requirement(text) for text in PROJECT["optional-dependencies"]["integration"]]
    wanted = {canonicalize_name(each.name): each.extras for each in DIRECT + extra}
    assert {name: requirement.extras for name, requirement in pins.items()} == wanted


def test_conda_environment_of_a_cluster_is_complete() -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = [Requirement(text) for name in ("slurm", "cluster-generic") for text in extras[name]]
    assert set(conda_pins("envs/slurm.yaml")) == {canonicalize_name(each.name) for each in wanted}


def test_conda_environment_of_a_gpu_has_what_training_imports() -> None:
    """By a process that imports both scripts' modules: the packages that came with them."""
    code = (
        "import importlib.metadata as m, sys; import selfcell.tasks.pretrain, "
        "selfcell.tasks.finetune, selfcell.data.kernels; tops = {n.partition('.')[0] for n in "
        "sys.modules}; print(*sorted({d for t in tops for d in "
        "m.packages_distributions().get(t, [])}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPO
    )
    loaded = {canonicalize_name(name) for name in done.stdout.split()}
    direct = {canonicalize_name(each.name) for each in DIRECT}
    assert set(conda_pins("envs/gpu.yaml")) >= loaded & direct


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=str)
def test_conda_environment_has_a_python_that_will_do(path: object) -> None:
    document = yaml.safe_load((REPO / str(path)).read_text(encoding="utf-8"))
    (python,) = [part for part in document["dependencies"] if str(part).startswith("python=")]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.removeprefix("python=") + ".0")


def test_what_is_installed_is_what_is_pinned() -> None:
    installed: Callable[[str], str] = importlib.metadata.version
    wanted = [canonicalize_name(each.name) for each in DIRECT]
    found = {name: installed(name).split("+")[0] for name in wanted}
    assert found == {name: PINS[name] for name in wanted}
