"""README.md holds what the released tables and the project's own files say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from selfcell import readme
from selfcell.config import REGISTRY, load_config
from selfcell.data.registry import Registry
from selfcell.errors import DataError
from selfcell.release import release
from selfcell.study import Study
from tests.released import NAME, finished, tables
from tests.tree import REPO

README = (REPO / "README.md").read_text(encoding="utf-8")


def parts(root: Path) -> dict[str, str]:
    """The generated parts, with the releases below `root`."""
    study = Study(load_config(REPO / "config.yaml"))
    return readme.parts(root, study, Registry.load(REGISTRY))


def made(folder: Path, name: str = NAME) -> dict[str, str]:
    """The generated parts of a checkout that holds one made-up release."""
    study, config, results = finished(folder)
    out = folder / "results" / "released" / name
    out.mkdir(parents=True)
    release(study, config, results, out, folder)
    (folder / "CITATION.cff").write_bytes((REPO / "CITATION.cff").read_bytes())
    return parts(folder)


def test_readme_is_what_its_command_writes() -> None:
    assert readme.fill(README, parts(REPO)) == README, "make readme"


def test_headline_is_the_contrast_table(tmp_path: Path) -> None:
    _, contrasts, verdicts = tables()
    text = made(tmp_path)["headline"]
    primary = contrasts[contrasts.family == "primary"]
    assert f"{len(primary)} primary contrasts" in text
    assert f"](results/released/{NAME}/figures/contrasts.png)" in text
    shown = text.replace("−", "-")
    for row in primary.itertuples():
        cells = f"| {row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}] | **{row.verdict}** |"
        assert cells in shown
        assert f"| {row.sde:.3f} |" in shown
    answers = re.findall(r"(?:frozen|all arms) \| \*\*(\w+)\*\* \|", text)
    assert sorted(answers) == sorted(verdicts.answer)
    assert "PBMC3k: conditional on one donor" in text and "picked:" not in text


def test_cells_and_costs_are_the_released_ones(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert "**5,010 cells**" in found["cells"]
    assert "left out as too rare: Mk" in found["cells"]
    assert "5 jobs of one core each take 5 minutes" in found["costs"]
    assert "largest job needs 900 MB" in found["costs"]  # of costs.parquet
    assert "| `qc` | 5 | 5.2 | 504 |" in found["costs"]


def test_without_a_release_the_page_says_so(tmp_path: Path) -> None:
    (tmp_path / "CITATION.cff").write_bytes((REPO / "CITATION.cff").read_bytes())
    assert "No study has been released yet" in parts(tmp_path)["headline"]


def test_parts_and_places_must_fit() -> None:
    page = "a\n<!-- begin: one -->\nold\n<!-- end: one -->\nb\n"
    filled = "a\n<!-- begin: one -->\n\nnew \\1\n\n<!-- end: one -->\nb\n"
    assert readme.fill(page, {"one": "new \\1"}) == filled
    assert readme.fill(filled, {"one": "new \\1"}) == filled
    for wrong in ({}, {"two": ""}, {"one": "", "two": ""}):
        with pytest.raises(DataError, match="marks"):
            readme.fill(page, wrong)
    with pytest.raises(DataError):
        readme.fill(page + page, {"one": ""})


def test_every_licence_and_citation_is_on_the_page() -> None:
    registry = Registry.load(REGISTRY)
    entries = [*registry.datasets.values(), *registry.genesets.values()]
    entries += registry.references.values()
    for each in entries:
        assert each.licence and each.licence in README
        assert each.citation and each.citation in README
    for artefact in registry.artefacts.values():
        assert artefact.licence in README


def test_the_paper_is_cited() -> None:
    cited = yaml.safe_load((REPO / "CITATION.cff").read_text(encoding="utf-8"))
    paper = cited["preferred-citation"]
    assert README.count(paper["doi"]) >= 2
    assert all(author["family-names"] in README for author in paper["authors"])


def test_the_example_reads_a_score_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, results = finished(tmp_path)
    results.rename(results.parent / "default")
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert "random_mask" in capsys.readouterr().out
