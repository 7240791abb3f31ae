"""The committed figures are those that this code draws of the committed tables, to the byte."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest

from selfcell.figures import drawn, module, read_table, style
from tests.tree import REPO

RELEASED = REPO / "results" / "released"
TABLES = sorted(RELEASED.glob("*/figures/*.csv"))
PINNED = f"matplotlib=={mpl.__version__}" in (REPO / "envs/constraints.txt").read_text().split()


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES, ids=lambda path: str(path.relative_to(RELEASED)))
def test_a_figure_is_drawn_to_the_byte(table: Path, tmp_path: Path) -> None:
    """On the matplotlib of the constraints; with another only that it can be drawn."""
    made = {kind: tmp_path / f"drawn.{kind}" for kind in ("pdf", "png")}
    style.save(drawn(module(table.stem), read_table(table)), made["pdf"], made["png"])
    for kind, path in made.items():
        same = path.read_bytes() == table.with_suffix(f".{kind}").read_bytes()
        assert same or not PINNED, f"{table.with_suffix(f'.{kind}')}: `make figures`, and commit"
