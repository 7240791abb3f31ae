"""Draw one figure from its input table."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    from selfcell.figures import drawn, read_table
    from selfcell.figures.style import save

    figure = drawn(args.name, read_table(args.table))
    with job.atomic(args.pdf) as pdf, job.atomic(args.png) as png:
        save(figure, pdf, png)


if __name__ == "__main__":
    from selfcell.figures import FIGURES

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, choices=sorted(FIGURES), help="figure")
    parser.add_argument("--table", type=Path, required=True, help="input table, csv")
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)
    job.run(main, parser)
