"""The committed figures are those that this code draws of the committed tables, to the byte."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest

from selfcell.figures import FIGURES, drawn, module, read_table, style
from selfcell.release import released
from tests.tree import REPO

STUDIES = released(REPO / "results/released")
PINNED = f"matplotlib=={mpl.__version__}" in (REPO / "envs/constraints.txt").read_text().split()


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_a_figure_is_drawn_to_the_byte(study: Path, name: str, tmp_path: Path) -> None:
    """On the matplotlib of the constraints; with another only that it can be drawn."""
    committed = study / "figures" / name
    figure = module(name)
    made = {kind: tmp_path / f"{name}.{kind}" for kind in ("pdf", "png")}
    style.save(drawn(figure, read_table(committed.with_suffix(".csv"))), made["pdf"], made["png"])
    for kind, path in made.items():
        same = path.read_bytes() == committed.with_suffix(f".{kind}").read_bytes()
        assert same or not PINNED, f"{committed}.{kind}: `make figures`, and commit"
