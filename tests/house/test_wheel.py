"""What an installed package needs of the checkout is shipped with it."""

from __future__ import annotations

import re
import tomllib

from selfcell.provenance import ROOT, SHIPPED
from tests.tree import REPO, tracked

BUILD = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
INCLUDED = BUILD["build"]["targets"]["wheel"]["force-include"]


def test_a_checkout_is_its_own_root() -> None:
    assert REPO == ROOT and not SHIPPED.exists()


def test_every_shipped_place_keeps_its_path() -> None:
    folder = f"{SHIPPED.parent.name}/{SHIPPED.name}"
    assert {name: f"{folder}/{name}" for name in INCLUDED} == INCLUDED
    assert all((REPO / name).exists() for name in INCLUDED)


def test_the_workflow_is_shipped_whole() -> None:
    parts = {path.parts[0] for path in tracked("Snakefile", "workflow/*", "profiles/*", "envs/*")}
    parts |= {path.parts[0] for path in tracked("config.yaml", "configs/*", "resources/*")}
    assert parts <= set(INCLUDED)


def test_what_the_package_reads_of_its_root_is_shipped() -> None:
    read = set()
    for path in tracked("src/*.py"):
        text = (REPO / path).read_text(encoding="utf-8")
        read |= set(re.findall(r"\bROOT / \"(\w+)\"", text))
    assert read and read <= {name.split("/")[0] for name in INCLUDED}


def test_an_archive_of_the_sources_holds_what_the_wheel_is_built_of() -> None:
    archive = BUILD["build"]["targets"]["sdist"]["include"]
    assert set(INCLUDED) <= set(archive)
