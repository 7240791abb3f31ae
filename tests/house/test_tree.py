"""The files speak of the project alone, fit any machine, and are small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from selfcell.release import LIMIT
from tests.tree import REPO, text_of, tracked

FILES = tracked()
# Written in pieces, so that this file passes its own test.
MACHINE = re.compile("(?<![A-Za-z0-9_.])/(?:" + "|".join(("work", "root", "home", "Users")) + ")/")
TEMPORARY = re.compile("(?<![A-Za-z0-9_.])/" + "tmp/")
PRIVATE = re.compile(r"\b(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2}\b")
ADDRESS = re.compile(r"\b(?:https?|ftp)://([A-Za-z0-9.\-\[\]:{}]+)")
PUBLIC = (
    "127.0.0.1", "localhost", "arxiv.org", "chanzuckerberg.github.io", "citeseerx.ist.psu.edu",
    "creativecommons.org", "datasets.cellxgene.cziscience.com",
    "doi.org", "download.pytorch.org", "github.com", "json-schema.org", "keepachangelog.com",
    "nullprogram.com", "pypi.org", "purl.obolibrary.org", "raw.githubusercontent.com", "semver.org",
    "www.10xgenomics.com", "www.ebi.ac.uk", "www.gsea-msigdb.org", "www.ncbi.nlm.nih.gov",
    "snakemake.github.io", "snakemake.readthedocs.io",
)  # fmt: skip
WHEELS = "download.pytorch.org"  # where a CPU build of torch is had: in the README alone


def complaints(name: Path, text: str) -> list[str]:
    """What in a file is of one machine or network."""
    found = MACHINE.findall(text)
    if name.parts[0] != "tests":
        found += TEMPORARY.findall(text) + PRIVATE.findall(text)
    hosts = {host.rstrip(".").split(":")[0] for host in ADDRESS.findall(text)}
    known = set(PUBLIC) - (set() if name.name == "README.md" else {WHEELS})
    if name.parts[0] == "tests":  # names made up for a test: one word, or reserved for examples
        hosts = {host for host in hosts if "." in host and "example" not in host}
    return found + sorted(host for host in hosts - known if "{" not in host)


def test_there_are_files() -> None:
    assert len(FILES) > 50


@pytest.mark.parametrize("name", FILES, ids=str)
def test_fits_any_machine(name: Path) -> None:
    text = text_of(name)
    if text is not None and name != Path("tests/house/test_tree.py"):
        assert complaints(name, text) == []


@pytest.mark.parametrize("name", FILES, ids=str)
def test_is_small(name: Path) -> None:
    assert (REPO / name).stat().st_size <= LIMIT


def test_no_result_is_tracked_but_the_released_ones() -> None:
    assert [name for name in tracked("results/*") if name.parts[1] != "released"] == []


def test_complaints_are_made() -> None:
    code, note = Path("src/a.py"), Path("README.md")
    assert complaints(code, "open('/" + "work/x')")
    assert complaints(code, "/" + "tmp/x")
    assert complaints(code, "see http://pypi.example.internal/simple")
    assert complaints(code, "at 10.1" + ".2.3")
    assert complaints(code, f"https://{WHEELS}/whl/cpu")
    assert not complaints(note, f"https://{WHEELS}/whl/cpu")
    assert not complaints(code, "workflow/work/x and https://doi.org/10.1038/s42256-024-00934-3")
