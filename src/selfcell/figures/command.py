"""What every figure's script does: make its input table, draw the figure from the table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from selfcell import job

if TYPE_CHECKING:
    from selfcell.figures import FigureModule


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options of a figure's script."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument(
        "files", type=Path, nargs="*",
        help="the study's files, as `table` of the figure's module says; none: draw --table anew",
    )  # fmt: skip
    options.add_argument("--table", type=Path, required=True, help="input table, csv")
    options.add_argument("--pdf", type=Path, required=True, help="figure to write")
    options.add_argument("--png", type=Path, required=True, help="figure to write")
    return options


def make(figure: FigureModule, args: argparse.Namespace) -> None:
    """Write the table if there are files to make it from, then the figure.

    The figure is drawn from the table as it is read back, so that redrawing it later gives the
    same bytes.
    """
    from selfcell.figures import drawn, read_table, write_table
    from selfcell.figures.style import save

    if args.files:
        with job.atomic(args.table) as path:
            write_table(figure.table(args.files), path)
    page = drawn(figure, read_table(args.table))
    with job.atomic(args.pdf) as pdf, job.atomic(args.png) as png:
        save(page, pdf, png)
