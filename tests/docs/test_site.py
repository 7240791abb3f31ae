"""The pages as a site: links lead somewhere, every page is in the menu, nothing is fetched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from selfcell.methods import METHODS
from tests.tree import REPO, tracked

LOADED = re.compile(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"')
PARTS = ("docs", "src", "mkdocs.yml", "README.md", "CONTRIBUTING.md", "configs", "resources")


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a checkout."""
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        words, cwd=root, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a warning."""
    folder = tmp_path_factory.mktemp("site")
    done = build(REPO, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def text(page: Path) -> str:
    """What a page says, without its tags."""
    return re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))


def test_every_page_is_there(site: Path) -> None:
    for path in tracked("docs/*.md"):
        name = path.relative_to("docs").with_suffix("")
        page = site / ("" if name.name == "index" else name) / "index.html"
        assert page.is_file(), page


def test_the_reference_documents_what_is_public(site: Path) -> None:
    said = text(site / "reference" / "index.html")
    own = ("load", "pretrain", "compare", "Comparison", "Model", "annotate", "examine")
    for name in (*own, "import_checkpoint", "push", "to_h5ad"):
        assert name in said
    for name in METHODS:
        assert name.replace("_", " ") in text(site / "methods" / "index.html")
    assert "Source:" in text(site / "methods" / "index.html")


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', page.read_text()
        )
        assert loaded == [], page


def test_files_of_the_repository_are_named(site: Path) -> None:
    assert "configs/own-data.yaml" in text(site / "how-to/own-data/index.html")
    page = (site / "findings/index.html").read_text(encoding="utf-8")
    assert "<code>results/released</code>" in page and 'href="../../results' not in page


def test_readme_links_the_pages() -> None:
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    menu = (REPO / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {str(path.relative_to("docs")) for path in tracked("docs/*.md")}
    assert [page for page in pages - {"index.md"} if f"(docs/{page})" not in readme] == []
    assert [page for page in pages if f": {page}\n" not in menu] == []


def test_the_page_of_methods_lists_every_one() -> None:
    methods = (REPO / "docs/methods.md").read_text(encoding="utf-8")
    assert re.findall(r"^::: (\S+)$", methods, re.MULTILINE) == list(METHODS.values())


def test_the_menu_is_yaml() -> None:
    assert yaml.safe_load((REPO / "mkdocs.yml").read_text(encoding="utf-8"))["strict"]


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["[a](nowhere.md)", "[a](tutorial.md#nothing)", "[a](../no.md)"])
def test_a_link_that_leads_nowhere_fails(wrong: str, tmp_path: Path) -> None:
    for name in PARTS:
        copy = shutil.copytree if (REPO / name).is_dir() else shutil.copyfile
        copy(REPO / name, tmp_path / name)
    page = tmp_path / "docs/how-to/own-method.md"
    page.write_text(page.read_text() + f"\n{wrong.replace('tutorial', '../tutorial')}\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0 and "own-method.md" in done.stdout + done.stderr
